//! A disk that can be full.

use std::{
    fs::File,
    io::Write as _,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::Context as _;

/// A file system of its own, in memory. Whoever may not mount one has none.
pub struct Disk(PathBuf);

impl Disk {
    /// Mounts one there; `None` where that is not allowed.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn mount(folder: PathBuf, megabytes: u32) -> anyhow::Result<Option<Self>> {
        std::fs::create_dir_all(&folder)?;
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", &format!("size={megabytes}m"), "tmpfs"]).arg(&folder);
        Ok(mount.output().is_ok_and(|output| output.status.success()).then_some(Self(folder)))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Gives it to the owner of `model`.
    ///
    /// # Errors
    /// When that is not allowed.
    pub fn hand_to_owner_of(&self, model: &str) -> anyhow::Result<()> {
        let status = Command::new("chown").arg(format!("--reference={model}")).arg(&self.0).status();
        anyhow::ensure!(status.context("starting chown")?.success(), "chown failed");
        Ok(())
    }

    /// Leaves no room on it.
    ///
    /// # Errors
    /// When the file that takes the room cannot be made.
    pub fn fill(&self) -> anyhow::Result<()> {
        let mut ballast = File::create(self.ballast())?;
        for size in [1 << 20, 4096, 1] {
            // An error means that nothing of this size fits any more.
            while ballast.write_all(&vec![0; size]).is_ok() {}
        }
        Ok(())
    }

    /// Makes room again.
    pub fn empty(&self) {
        // It may never have been filled.
        let _ = std::fs::remove_file(self.ballast());
    }

    fn ballast(&self) -> PathBuf {
        self.0.join("ballast")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        let _ = std::fs::remove_dir(&self.0);
    }
}
