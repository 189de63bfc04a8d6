//! A small picture of what a price did in the last hours, for mail. The only place where prices become floats.

use rust_decimal::{Decimal, prelude::ToPrimitive as _};

const WIDTH: usize = 600;
const HEIGHT: usize = 200;
/// Around the line, in pixels.
const MARGIN: f32 = 8.0;
/// Half of the line's thickness, in pixels.
const HALF: f32 = 1.0;

const GROUND: [u8; 3] = [255, 255, 255];
const LINE: [u8; 3] = [37, 99, 235];
const LEVEL: [u8; 3] = [220, 38, 38];

/// Closes from the oldest to the newest as a line, and the level, where there is one, dashed across. `None` where there is too little
/// to draw.
pub(crate) fn draw(closes: &[Decimal], level: Option<Decimal>) -> Option<Vec<u8>> {
    let prices: Vec<f64> = closes.iter().filter_map(Decimal::to_f64).collect();
    let level = level.and_then(|level| level.to_f64());
    if prices.len() < 2 {
        return None;
    }
    let seen = || prices.iter().copied().chain(level);
    let (low, high) = seen().fold((f64::MAX, f64::MIN), |(low, high), price| (low.min(price), high.max(price)));
    let span = if high > low { high - low } else { 1.0 };
    let height = |price: f64| HEIGHT as f32 - MARGIN - ((price - low) / span) as f32 * (HEIGHT as f32 - 2.0 * MARGIN);
    let step = (WIDTH as f32 - 2.0 * MARGIN) / (prices.len() - 1) as f32;
    let mut picture = Picture(vec![GROUND; WIDTH * HEIGHT]);
    if let Some(level) = level {
        let y = height(level);
        let mut x = MARGIN;
        while x < WIDTH as f32 - MARGIN {
            picture.line((x, y), (x + 6.0, y), LEVEL);
            x += 12.0;
        }
    }
    let points: Vec<(f32, f32)> =
        prices.iter().enumerate().map(|(at, price)| (MARGIN + step * at as f32, height(*price))).collect();
    for pair in points.windows(2) {
        picture.line(pair[0], pair[1], LINE);
    }
    picture.png()
}

struct Picture(Vec<[u8; 3]>);

impl Picture {
    /// Paints each pixel as far as the line covers it.
    fn line(&mut self, from: (f32, f32), to: (f32, f32), colour: [u8; 3]) {
        let reach = HALF + 1.0;
        let columns =
            (from.0.min(to.0) - reach).max(0.0) as usize..=((from.0.max(to.0) + reach) as usize).min(WIDTH - 1);
        let rows = (from.1.min(to.1) - reach).max(0.0) as usize..=((from.1.max(to.1) + reach) as usize).min(HEIGHT - 1);
        for y in rows {
            for x in columns.clone() {
                let covered = (HALF + 0.5 - distance((x as f32, y as f32), from, to)).clamp(0.0, 1.0);
                for (part, wanted) in self.0[y * WIDTH + x].iter_mut().zip(colour) {
                    *part = (f32::from(*part) + (f32::from(wanted) - f32::from(*part)) * covered).round() as u8;
                }
            }
        }
    }

    fn png(&self) -> Option<Vec<u8>> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, WIDTH as u32, HEIGHT as u32);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().ok()?;
        writer.write_image_data(self.0.as_flattened()).ok()?;
        writer.finish().ok()?;
        Some(file)
    }
}

/// From a point to the nearest of a line between two others.
fn distance(point: (f32, f32), from: (f32, f32), to: (f32, f32)) -> f32 {
    let (along, away) = ((to.0 - from.0, to.1 - from.1), (point.0 - from.0, point.1 - from.1));
    let length = along.0 * along.0 + along.1 * along.1;
    let share = if length > 0.0 { ((away.0 * along.0 + away.1 * along.1) / length).clamp(0.0, 1.0) } else { 0.0 };
    (away.0 - share * along.0).hypot(away.1 - share * along.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pixels(file: &[u8]) -> Vec<[u8; 3]> {
        let mut reader = png::Decoder::new(std::io::Cursor::new(file)).read_info().unwrap();
        let mut bytes = vec![0; WIDTH * HEIGHT * 3];
        let frame = reader.next_frame(&mut bytes).unwrap();
        assert_eq!((frame.width as usize, frame.height as usize), (WIDTH, HEIGHT));
        bytes.as_chunks::<3>().0.to_vec()
    }

    #[test]
    fn a_rising_price_rises_in_the_picture_and_the_level_lies_across() {
        let closes: Vec<Decimal> = (0..60).map(Decimal::from).collect();
        let picture = pixels(&draw(&closes, Some(Decimal::from(30))).unwrap());
        let is_line = |x: usize, y: usize| picture[y * WIDTH + x] == LINE;
        let row = |x: usize| (0..HEIGHT).find(|y| is_line(x, *y)).unwrap();
        assert!(row(20) > row(300) && row(300) > row(580));
        let level = picture.iter().filter(|pixel| **pixel == LEVEL).count();
        assert!(level > WIDTH / 4, "{level} pixels of the level");
    }

    #[test]
    fn what_cannot_be_drawn_is_not() {
        assert_eq!(draw(&[], None), None);
        assert_eq!(draw(&[Decimal::ONE], Some(Decimal::TWO)), None);
        assert!(draw(&[Decimal::ONE, Decimal::ONE], None).is_some(), "a price that stayed is a line");
        assert!(draw(&[Decimal::MAX, Decimal::MIN], Some(Decimal::ZERO)).is_some());
    }
}
