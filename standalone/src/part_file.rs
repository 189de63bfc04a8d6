//! A file that has its name only once it is complete.
//!
//! Until then it is called so with `.part` behind, and is deleted when it is given up. What the program leaves behind that is
//! killed, the next one writes over.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use anyhow::{Context as _, bail};

/// The file while it is written.
pub(crate) struct PartFile {
    writer: BufWriter<File>,
    place: Place,
}

/// Where it is, and where it shall be. Deletes what is there when dropped.
struct Place {
    part: PathBuf,
    end: PathBuf,
}

impl PartFile {
    /// Begins a file that will be called so.
    pub(crate) fn create(end: &Path) -> anyhow::Result<Self> {
        let mut part = end.as_os_str().to_owned();
        part.push(".part");
        let part = PathBuf::from(part);
        let file = File::create(&part)
            .with_context(|| format!("{} cannot be written; choose another folder with --output", part.display()))?;
        Ok(Self { writer: BufWriter::new(file), place: Place { part, end: end.to_owned() } })
    }

    /// Gives it its name when all of it is on the disk. Returns its size in bytes.
    pub(crate) fn complete(self, force: bool) -> anyhow::Result<u64> {
        let Self { writer, place } = self;
        let written = || format!("{} cannot be written", place.part.display());
        let file = writer.into_inner().map_err(io::IntoInnerError::into_error).with_context(written)?;
        file.sync_all().with_context(written)?;
        let bytes = file.metadata().with_context(written)?.len();
        refuse_existing(&place.end, force)?;
        std::fs::rename(&place.part, &place.end)
            .with_context(|| format!("{} cannot be renamed", place.part.display()))?;
        Ok(bytes)
    }
}

impl Write for PartFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        // It is gone already where it was renamed.
        let _ = std::fs::remove_file(&self.part);
    }
}

/// An error where the file is there and may not be replaced.
pub(crate) fn refuse_existing(file: &Path, force: bool) -> anyhow::Result<()> {
    if !force && file.exists() {
        bail!("{} is there already; --force replaces it, --output chooses another file", file.display());
    }
    Ok(())
}
