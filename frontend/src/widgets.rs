//! Things drawn by ourselves.

pub(crate) mod bell;
pub(crate) mod candles;
pub(crate) mod choice;
pub(crate) mod holes;
pub(crate) mod line;
pub(crate) mod plot_item;
pub(crate) mod tag;
