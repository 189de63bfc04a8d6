//! Every colour and font size of the window, and the only place where one is written.
//!
//! Text keeps a contrast of at least 4.5:1 on its ground in both themes. Colour is never the only cue: what is red or
//! amber also carries a sign, an arrow or a word.

use clap::ValueEnum;
use eframe::egui::{
    self, Color32, CornerRadius, FontDefinitions, FontFamily, FontId, Stroke, TextStyle, Theme, ThemePreference, Ui,
    Vec2, style::WidgetVisuals,
};
use serde::{Deserialize, Serialize};

/// Which theme the window wears.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum ThemeChoice {
    /// Light text on a dark ground.
    Dark,
    /// Dark text on a light ground.
    Light,
    /// As the desktop does; dark where it does not say.
    #[default]
    System,
}

impl From<ThemeChoice> for ThemePreference {
    fn from(choice: ThemeChoice) -> Self {
        match choice {
            ThemeChoice::Dark => Self::Dark,
            ThemeChoice::Light => Self::Light,
            ThemeChoice::System => Self::System,
        }
    }
}

/// The colours of one theme, by what they are for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Palette {
    /// Behind the chart.
    pub ground: Color32,
    /// Behind lists and bars.
    pub panel: Color32,
    /// Between panels, around fields.
    pub border: Color32,
    /// Lines of the chart's grid.
    pub grid: Color32,
    /// Under the pointer.
    pub hover: Color32,
    /// Behind what is chosen.
    pub chosen: Color32,
    /// What is chosen, links, the line chart.
    pub accent: Color32,
    /// Text.
    pub text: Color32,
    /// Text that explains.
    pub weak: Color32,
    /// Text that is out of date.
    pub faded: Color32,
    /// Something wants attention.
    pub warn: Color32,
    /// Ground of a banner.
    pub warn_ground: Color32,
    /// Higher than before.
    pub up: Color32,
    /// Lower than before.
    pub down: Color32,
    /// Text on `up`, `down` and `accent`.
    pub on_tag: Color32,
    /// Ground of the crosshair's tags.
    pub tag: Color32,
    /// The crosshair.
    pub crosshair: Color32,
}

const DARK: Palette = Palette {
    ground: rgb(0x0F_13_18),
    panel: rgb(0x13_19_20),
    border: rgb(0x22_2B_36),
    grid: rgb(0x1C_23_2C),
    hover: rgb(0x1A_22_2C),
    chosen: rgb(0x1B_2A_3B),
    accent: rgb(0x4D_A3_FF),
    text: rgb(0xD6_DC_E5),
    weak: rgb(0x8B_97_A8),
    faded: rgb(0x76_81_90),
    warn: rgb(0xE8_B3_39),
    warn_ground: rgb(0x2A_24_14),
    up: rgb(0x26_A6_9A),
    down: rgb(0xEF_53_50),
    on_tag: rgb(0x0B_0F_14),
    tag: rgb(0x3A_44_52),
    crosshair: rgb(0x75_80_90),
};

const LIGHT: Palette = Palette {
    ground: rgb(0xFF_FF_FF),
    panel: rgb(0xF6_F8_FA),
    border: rgb(0xDC_E2_E9),
    grid: rgb(0xEB_EE_F2),
    hover: rgb(0xEA_EF_F5),
    chosen: rgb(0xDF_EA_F8),
    accent: rgb(0x15_65_C0),
    text: rgb(0x1B_24_30),
    weak: rgb(0x5A_66_78),
    faded: rgb(0x69_75_86),
    warn: rgb(0x8A_5A_00),
    warn_ground: rgb(0xFD_F3_DC),
    up: rgb(0x0B_7A_55),
    down: rgb(0xC4_24_3B),
    on_tag: rgb(0xFF_FF_FF),
    tag: rgb(0xC6_CE_D8),
    crosshair: rgb(0x7A_86_96),
};

/// Size of small text and of the figures under a row's first line.
pub(crate) const SMALL: f32 = 11.0;
/// Size of text.
pub(crate) const BODY: f32 = 13.5;
/// Size of the chosen ticker's name and price.
pub(crate) const LARGE: f32 = 21.0;

const fn rgb(hex: u32) -> Color32 {
    let [_, red, green, blue] = hex.to_be_bytes();
    Color32::from_rgb(red, green, blue)
}

impl Palette {
    /// The colours of the theme that `ui` wears.
    pub(crate) fn of(ui: &Ui) -> &'static Self {
        if ui.visuals().dark_mode { &DARK } else { &LIGHT }
    }

    /// The colour of a change; zero and unknown have none.
    pub(crate) fn of_change(&self, change: Option<f64>) -> Color32 {
        match change {
            Some(change) if change > 0.0 => self.up,
            Some(change) if change < 0.0 => self.down,
            _ => self.weak,
        }
    }
}

/// Gives both themes their colours, and text its fonts and sizes. Called once, before anything is shown.
pub(crate) fn install(context: &egui::Context) {
    context.set_fonts(fonts());
    for (theme, palette) in [(Theme::Dark, &DARK), (Theme::Light, &LIGHT)] {
        context.style_mut_of(theme, |style| dress(style, palette));
    }
}

/// The default fonts, with the monospaced one behind the proportional one: it has the arrows that the other lacks.
fn fonts() -> FontDefinitions {
    let mut fonts = FontDefinitions::default();
    let monospaced = fonts.families.get(&FontFamily::Monospace).cloned().unwrap_or_default();
    let proportional = fonts.families.entry(FontFamily::Proportional).or_default();
    proportional.extend(monospaced);
    fonts
}

fn dress(style: &mut egui::Style, palette: &Palette) {
    style.text_styles = [
        (TextStyle::Small, FontId::proportional(SMALL)),
        (TextStyle::Body, FontId::proportional(BODY)),
        (TextStyle::Button, FontId::proportional(BODY)),
        (TextStyle::Heading, FontId::proportional(LARGE)),
        (TextStyle::Monospace, FontId::monospace(12.5)),
    ]
    .into();
    style.spacing.item_spacing = Vec2::new(8.0, 4.0);
    style.spacing.button_padding = Vec2::new(8.0, 3.0);
    // Labels that can be selected would swallow the clicks meant for their row.
    style.interaction.selectable_labels = false;

    let visuals = &mut style.visuals;
    visuals.panel_fill = palette.panel;
    visuals.window_fill = palette.panel;
    visuals.window_stroke = Stroke::new(1.0, palette.border);
    visuals.extreme_bg_color = palette.ground;
    visuals.text_edit_bg_color = Some(palette.ground);
    visuals.faint_bg_color = palette.hover;
    visuals.weak_text_color = Some(palette.weak);
    visuals.warn_fg_color = palette.warn;
    visuals.error_fg_color = palette.down;
    visuals.hyperlink_color = palette.accent;
    visuals.selection.bg_fill = palette.chosen;
    visuals.selection.stroke = Stroke::new(1.0, palette.accent);
    let widgets = &mut visuals.widgets;
    for (widget, fill, border, text) in [
        (&mut widgets.noninteractive, palette.panel, palette.border, palette.text),
        (&mut widgets.inactive, palette.hover, palette.border, palette.text),
        (&mut widgets.hovered, palette.hover, palette.border, palette.text),
        (&mut widgets.active, palette.chosen, palette.accent, palette.text),
        (&mut widgets.open, palette.chosen, palette.border, palette.text),
    ] {
        *widget = WidgetVisuals {
            bg_fill: fill,
            weak_bg_fill: fill,
            bg_stroke: Stroke::new(1.0, border),
            fg_stroke: Stroke::new(1.0, text),
            corner_radius: CornerRadius::same(4),
            expansion: 0.0,
        };
    }
}
