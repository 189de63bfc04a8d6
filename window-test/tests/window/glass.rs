//! Looks into the window: what it tells assistive technology, and what is painted.

use std::{io::Cursor, net::TcpStream, rc::Rc, time::Duration};

use eframe::egui::{
    Event, Rect,
    accesskit::{Action, ActionRequest, NodeId, TreeId},
    pos2,
};
use egui_inspection::{
    PROTOCOL_VERSION, Request, Response,
    protocol::{read_handshake, read_message, write_message},
};
use rust_decimal::Decimal;

/// The pair that is watched.
const ROW: &str = "BTC/USDT on simulated, last ";
const CHART: &str = "Chart of BTC/USDT on simulated, ";

/// A connection to the window.
#[derive(Debug, Clone)]
pub(crate) struct Glass(Rc<TcpStream>);

/// Something in the window that has words.
#[derive(Debug, Clone)]
pub(crate) struct Part {
    id: NodeId,
    pub(crate) words: String,
    /// In points from the window's upper left corner.
    pub(crate) place: Rect,
}

/// All that the window says at one moment.
#[derive(Debug)]
pub(crate) struct Shown(Vec<Part>);

/// The window's pixels, one for each point, as a PNG.
pub(crate) struct Picture(Vec<u8>);

impl Glass {
    /// None where no window listens yet.
    pub(crate) fn connect(port: u16) -> Option<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).ok()?;
        // Longer than the window itself waits for a frame of its own.
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        assert_eq!(read_handshake(&stream).unwrap(), PROTOCOL_VERSION);
        Some(Self(Rc::new(stream)))
    }

    /// None where the window has not drawn itself in time.
    pub(crate) fn look(&self) -> Option<Shown> {
        let Response::Tree { accesskit: Some(tree), .. } = self.ask(&Request::GetTree)? else {
            return None;
        };
        let parts = tree.nodes.iter().filter_map(|(id, node)| {
            let words = node.label().or(node.value())?.to_owned();
            let bounds = node.bounds()?;
            let [left, top, right, bottom] = [bounds.x0, bounds.y0, bounds.x1, bounds.y1].map(|at| at as f32);
            let place = Rect::from_min_max(pos2(left, top), pos2(right, bottom));
            Some(Part { id: *id, words, place })
        });
        Some(Shown(parts.collect()))
    }

    /// None where the window has not drawn itself in time.
    pub(crate) fn picture(&self) -> Option<Picture> {
        match self.ask(&Request::GetScreenshot { pixels_per_point: Some(1.0) })? {
            Response::Screenshot(picture) => Some(Picture(picture.bytes)),
            _ => None,
        }
    }

    /// As assistive technology does. None where the window has not drawn itself in time.
    pub(crate) fn click(&self, part: &Part) -> Option<()> {
        let (action, target_tree) = (Action::Click, TreeId::ROOT);
        let click = ActionRequest { action, target_tree, target_node: part.id, data: None };
        let events = vec![Event::AccessKitActionRequest(click)];
        matches!(self.ask(&Request::ApplyEvents { events })?, Response::Done).then_some(())
    }

    fn ask(&self, request: &Request) -> Option<Response> {
        write_message(&*self.0, request).ok()?;
        read_message(&*self.0).ok()
    }
}

impl Shown {
    /// The first part that says this among other things.
    pub(crate) fn find(&self, words: &str) -> Option<&Part> {
        self.0.iter().find(|part| part.words.contains(words))
    }

    /// The watched pair in the list.
    pub(crate) fn row(&self) -> Option<&Part> {
        self.0.iter().find(|part| part.words.starts_with(ROW))
    }

    /// Its price, without the marks between thousands.
    pub(crate) fn price(&self) -> Option<Decimal> {
        let price = self.row()?.words.strip_prefix(ROW)?.split(", ").next()?;
        price.replace(',', "").parse().ok()
    }

    /// The chart, if it is of the watched pair.
    pub(crate) fn chart(&self) -> Option<&Part> {
        self.0.iter().find(|part| part.words.starts_with(CHART))
    }

    /// Everything, a line each.
    pub(crate) fn words(&self) -> String {
        self.0.iter().map(|part| format!("{}\n", part.words)).collect()
    }
}

impl Picture {
    /// To be kept in a file.
    pub(crate) fn png(&self) -> &[u8] {
        &self.0
    }

    /// How many pixels there have a colour. Candles have one; ground, grid and axes are grey.
    pub(crate) fn colourful_in(&self, place: Rect) -> usize {
        let mut reader = png::Decoder::new(Cursor::new(self.png())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        let info = reader.next_frame(&mut pixels).unwrap();
        let samples = info.color_type.samples();
        let rows = pixels.chunks(info.line_size).skip(place.top() as usize).take(place.height() as usize);
        rows.flat_map(|row| row.chunks(samples).skip(place.left() as usize).take(place.width() as usize))
            .filter(|pixel| {
                let colour = &pixel[..3];
                colour.iter().max().unwrap() - colour.iter().min().unwrap() > 64
            })
            .count()
    }
}
