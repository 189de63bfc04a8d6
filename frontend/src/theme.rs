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

use crate::state::Origin;

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

/// How rising and falling are coloured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Hues {
    /// Blue and orange, which nearly everybody can tell apart.
    pub colour_blind: bool,
    /// Rising in the colour of falling, as in East Asia.
    pub red_up: bool,
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
    /// Lines over the prices.
    pub lines: [Color32; 4],
    /// Lines of compared markets.
    pub compared: [Color32; 6],
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
    lines: [rgb(0x4D_A3_FF), rgb(0xB4_8E_F7), rgb(0x5C_D6_F0), rgb(0xF4_8F_C4)],
    compared: [rgb(0x4D_A3_FF), rgb(0xFF_B0_54), rgb(0x5C_D6_F0), rgb(0xF4_8F_C4), rgb(0xC8_D6_4A), rgb(0xB4_8E_F7)],
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
    lines: [rgb(0x15_65_C0), rgb(0x7C_3A_ED), rgb(0x0E_74_90), rgb(0xBE_18_5D)],
    compared: [rgb(0x15_65_C0), rgb(0xB4_53_09), rgb(0x0E_74_90), rgb(0xBE_18_5D), rgb(0x5B_6B_00), rgb(0x7C_3A_ED)],
};

/// Every palette: dark and light, in each of the [`Hues`].
static PALETTES: [Palette; 8] = [
    DARK,
    turned(DARK),
    blue_and_orange(DARK, 0x4D_A3_FF, 0xFF_9F_1C),
    turned(blue_and_orange(DARK, 0x4D_A3_FF, 0xFF_9F_1C)),
    LIGHT,
    turned(LIGHT),
    blue_and_orange(LIGHT, 0x15_65_C0, 0xB4_53_09),
    turned(blue_and_orange(LIGHT, 0x15_65_C0, 0xB4_53_09)),
];

const fn turned(palette: Palette) -> Palette {
    Palette { up: palette.down, down: palette.up, ..palette }
}

const fn blue_and_orange(palette: Palette, up: u32, down: u32) -> Palette {
    Palette { up: rgb(up), down: rgb(down), ..palette }
}

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
        let visuals = ui.visuals();
        let worn = |palette: &&Self| (palette.panel, palette.up) == (visuals.panel_fill, visuals.code_bg_color);
        PALETTES.iter().find(worn).unwrap_or(if visuals.dark_mode { &DARK } else { &LIGHT })
    }

    fn in_hues(theme: Theme, hues: Hues) -> &'static Self {
        let first = if theme == Theme::Dark { 0 } else { 4 };
        &PALETTES[first + 2 * usize::from(hues.colour_blind) + usize::from(hues.red_up)]
    }

    /// The colour of the mark below a candle that is not made of what the stream brought alone.
    pub(crate) fn of_origin(&self, origin: Origin) -> Option<Color32> {
        match origin {
            Origin::Stream => None,
            Origin::Backfill => Some(self.accent),
            Origin::Polls | Origin::Exchange => Some(self.warn),
        }
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

/// What the window is filled with before anything is drawn: one fill less a frame, which counts where no graphics card
/// helps.
pub(crate) fn ground(visuals: &egui::Visuals) -> Color32 {
    visuals.extreme_bg_color
}

/// Gives both themes their colours, and text its fonts and sizes. Called once, before anything is shown.
pub(crate) fn install(context: &egui::Context) {
    context.set_fonts(fonts());
    // It would not be kept; `actions` has the same keys.
    context.options_mut(|options| options.zoom_with_keyboard = false);
    wear(context, Hues::default());
}

/// Gives both themes the colours of these hues.
pub(crate) fn wear(context: &egui::Context, hues: Hues) {
    for theme in [Theme::Dark, Theme::Light] {
        context.style_mut_of(theme, |style| dress(style, Palette::in_hues(theme, hues)));
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
    // No code is shown anywhere: this tells `Palette::of` which palette it is.
    visuals.code_bg_color = palette.up;
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
            // Behind the marks of boxes and circles, which must be seen when they are empty.
            bg_fill: palette.tag,
            weak_bg_fill: fill,
            bg_stroke: Stroke::new(1.0, border),
            fg_stroke: Stroke::new(1.0, text),
            corner_radius: CornerRadius::same(4),
            expansion: 0.0,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Contrast as WCAG 2 counts it.
    fn contrast(one: Color32, other: Color32) -> f64 {
        let channel = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        let luminance = |colour: Color32| {
            0.2126 * channel(colour.r()) + 0.7152 * channel(colour.g()) + 0.0722 * channel(colour.b())
        };
        let (one, other) = (luminance(one) + 0.05, luminance(other) + 0.05);
        one.max(other) / one.min(other)
    }

    #[test]
    fn text_can_be_read_in_every_palette() {
        for palette in &PALETTES {
            for ground in [palette.ground, palette.panel] {
                for colour in [palette.text, palette.weak, palette.warn, palette.up, palette.down, palette.accent] {
                    assert!(contrast(colour, ground) >= 4.5, "{colour:?} on {ground:?}: {}", contrast(colour, ground));
                }
                for line in palette.lines.into_iter().chain(palette.compared) {
                    assert!(contrast(line, ground) >= 4.5, "{line:?} on {ground:?}: {}", contrast(line, ground));
                }
            }
            for tag in [palette.up, palette.down] {
                assert!(contrast(palette.on_tag, tag) >= 4.5, "{:?} on {tag:?}", palette.on_tag);
            }
        }
    }

    #[test]
    fn the_window_knows_which_palette_it_wears() {
        for (colour_blind, red_up) in [(false, false), (false, true), (true, false), (true, true)] {
            for theme in [Theme::Dark, Theme::Light] {
                let hues = Hues { colour_blind, red_up };
                let context = egui::Context::default();
                wear(&context, hues);
                context.set_theme(theme);
                let mut worn = None;
                let mut output = context.run_ui(egui::RawInput::default(), |ui| worn = Some(*Palette::of(ui)));
                // Nothing is painted.
                output.textures_delta.clear();
                let (worn, meant) = (worn.unwrap(), Palette::in_hues(theme, hues));
                assert_eq!((worn.panel, worn.up, worn.down), (meant.panel, meant.up, meant.down), "{theme:?} {hues:?}");
            }
        }
    }
}
