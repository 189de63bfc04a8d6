//! What egui_plot wants of every item, for items that only draw.

use std::ops::RangeInclusive;

use eframe::egui::{Color32, Shape, Ui};
use egui_plot::{PlotBounds, PlotGeometry, PlotItem, PlotItemBase, PlotTransform};

/// Something that draws itself into a plot. It neither stretches the plot's bounds, which the chart sets itself, nor
/// takes part in hovering, whose search is linear.
pub(crate) struct Drawing<F> {
    base: PlotItemBase,
    draw: F,
}

impl<F: Fn(&Ui, &PlotTransform, &mut Vec<Shape>)> Drawing<F> {
    /// With a name that is unique in its plot.
    pub(crate) fn new(name: &str, draw: F) -> Self {
        Self { base: PlotItemBase::new(name.to_owned()), draw }
    }
}

impl<F: Fn(&Ui, &PlotTransform, &mut Vec<Shape>)> PlotItem for Drawing<F> {
    fn shapes(&self, ui: &Ui, transform: &PlotTransform, shapes: &mut Vec<Shape>) {
        (self.draw)(ui, transform, shapes);
    }

    fn initialize(&mut self, _x_range: RangeInclusive<f64>) {}

    fn color(&self) -> Color32 {
        Color32::TRANSPARENT
    }

    fn allow_hover(&self) -> bool {
        false
    }

    fn geometry(&self) -> PlotGeometry<'_> {
        PlotGeometry::None
    }

    fn bounds(&self) -> PlotBounds {
        PlotBounds::NOTHING
    }

    fn base(&self) -> &PlotItemBase {
        &self.base
    }

    fn base_mut(&mut self) -> &mut PlotItemBase {
        &mut self.base
    }
}
