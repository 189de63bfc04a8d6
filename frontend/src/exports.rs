//! What is saved from a chart: where it goes, and pictures as PNG.

use std::{
    io,
    path::{Path, PathBuf},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
};

use chrono::{DateTime, Utc};
use eframe::egui::ColorImage;

use crate::{
    settings::WindowSettings,
    state::SeriesKey,
    worker::{Export, Wanted, create},
};

/// Where files go, and what became of those on their way.
#[derive(Debug)]
pub(crate) struct Exports {
    folder: PathBuf,
    done: Sender<String>,
    news: Receiver<String>,
}

/// Where one picture goes.
#[derive(Debug, Clone)]
pub(crate) struct PictureFile {
    path: PathBuf,
    done: Sender<String>,
}

impl Exports {
    /// Into the folder that the settings name, or else that for downloads, or home, or where we are.
    pub(crate) fn into(settings: &WindowSettings) -> Self {
        let usual = || {
            let dirs = directories::UserDirs::new()?;
            Some(dirs.download_dir().unwrap_or(dirs.home_dir()).to_owned())
        };
        let folder = settings.export_folder.clone().or_else(usual).unwrap_or_else(|| PathBuf::from("."));
        let (done, news) = channel();
        Self { folder, done, news }
    }

    /// The candles of a series between two moments, as the worker is to write them.
    pub(crate) fn candles(
        &self,
        series: SeriesKey,
        from: DateTime<Utc>,
        to: DateTime<Utc>,
        now: DateTime<Utc>,
    ) -> Export {
        let name = format!("{}-{}-{}", series.ticker.ticker, series.ticker.exchange, series.interval);
        let path = self.path(&name, now, "csv");
        Export { what: Wanted::Candles { series, from, to }, path }
    }

    /// All transactions of a portfolio, as the worker is to write them.
    pub(crate) fn transactions(&self, portfolio: i64, name: &str, now: DateTime<Utc>) -> Export {
        Export { what: Wanted::Transactions(portfolio), path: self.path(name, now, "csv") }
    }

    /// The file of a picture with this in its name.
    pub(crate) fn picture(&self, name: &str, now: DateTime<Utc>) -> PictureFile {
        PictureFile { path: self.path(name, now, "png"), done: self.done.clone() }
    }

    /// What became of pictures since this was last asked for.
    pub(crate) fn take_news(&self) -> Vec<String> {
        self.news.try_iter().collect()
    }

    /// A name that says what it is and when it was saved; pairs like `XBT/USD` are no folders.
    fn path(&self, name: &str, now: DateTime<Utc>, kind: &str) -> PathBuf {
        let name: String =
            name.chars().map(|c| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' }).collect();
        Path::new(&self.folder).join(format!("{name}-{}.{kind}", now.format("%Y%m%dT%H%M%S%3fZ")))
    }
}

impl PictureFile {
    /// Writes it, on a thread of its own: packing it takes longer than a frame. `finished` is called then.
    pub(crate) fn write(self, image: ColorImage, finished: impl FnOnce() + Send + 'static) {
        let write = move || {
            let path = &self.path;
            let words = match packed(&image).and_then(|png| create(path, &png)) {
                Ok(()) => format!("The picture is in {}", path.display()),
                Err(error) => format!("{} could not be written: {error}", path.display()),
            };
            // Where nobody listens any more, the window is gone.
            let _ = self.done.send(words);
            finished();
        };
        if let Err(error) = thread::Builder::new().name("picture".to_owned()).spawn(write) {
            tracing::warn!(%error, "no thread to write a picture");
        }
    }
}

fn packed(image: &ColorImage) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let [width, height] = image.size.map(|pixels| u32::try_from(pixels).unwrap_or(u32::MAX));
    let mut encoder = png::Encoder::new(&mut bytes, width, height);
    encoder.set_color(png::ColorType::Rgb);
    let mut writer = encoder.write_header()?;
    let rgb: Vec<u8> = image.pixels.iter().flat_map(|pixel| [pixel.r(), pixel.g(), pixel.b()]).collect();
    writer.write_image_data(&rgb)?;
    writer.finish()?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use eframe::egui::Color32;

    use super::*;

    #[test]
    fn a_picture_is_written_and_its_place_is_told() {
        let folder = tempfile::tempdir().unwrap();
        let settings = WindowSettings { export_folder: Some(folder.path().to_owned()), ..WindowSettings::default() };
        let exports = Exports::into(&settings);
        let now = "2026-11-20T12:00:00.5Z".parse().unwrap();
        let picture = |image| exports.picture("XBT/USD-kraken-1m", now).write(image, || ());
        picture(ColorImage::filled([3, 2], Color32::RED));
        let words = exports.news.recv().unwrap();
        let path = folder.path().join("XBT_USD-kraken-1m-20261120T120000500Z.png");
        assert_eq!(words, format!("The picture is in {}", path.display()));
        let mut reader =
            png::Decoder::new(io::BufReader::new(std::fs::File::open(&path).unwrap())).read_info().unwrap();
        let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
        reader.next_frame(&mut pixels).unwrap();
        assert_eq!(pixels, [255, 0, 0].repeat(6));
        // What is there already stays.
        picture(ColorImage::filled([1, 1], Color32::BLUE));
        assert!(exports.news.recv().unwrap().contains("could not be written"));
    }
}
