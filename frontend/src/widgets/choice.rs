//! One of several, in a list that opens.

use eframe::egui::{ComboBox, InnerResponse, Response, Role, Ui, WidgetInfo, WidgetText};

/// Shows what is chosen; `add` fills the list. The name is for those who do not see where it stands.
pub(crate) fn choice<R>(
    ui: &mut Ui,
    name: &str,
    width: f32,
    shown: impl Into<WidgetText>,
    add: impl FnOnce(&mut Ui) -> R,
) -> Response {
    let shown = shown.into();
    let text = shown.text().to_owned();
    let combo = ComboBox::from_id_salt(name).width(width).selected_text(shown);
    let InnerResponse { response, .. } = combo.show_ui(ui, add);
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ComboBox, true, name);
        info.current_text_value = Some(text.clone());
        info
    });
    response
}
