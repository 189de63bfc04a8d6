//! A disk that can be full.

use std::{
    path::{Path, PathBuf},
    process::{Command, Output},
};

use anyhow::Context as _;

/// A file system of its own, in memory. Whoever may not mount one has none.
pub struct Disk {
    folder: PathBuf,
    megabytes: u32,
}

impl Disk {
    /// Mounts one there; `None` where that is not allowed.
    ///
    /// # Errors
    /// When the folder cannot be made.
    pub fn mount(folder: PathBuf, megabytes: u32) -> anyhow::Result<Option<Self>> {
        std::fs::create_dir_all(&folder)?;
        let disk = Self { folder, megabytes };
        let mounted = run(Command::new("mount").args(["-t", "tmpfs", "-o", &disk.size(), "tmpfs"]).arg(&disk.folder));
        Ok(mounted.is_ok().then_some(disk))
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.folder
    }

    /// Gives it to the owner of `model`.
    ///
    /// # Errors
    /// When that is not allowed.
    pub fn hand_to_owner_of(&self, model: &str) -> anyhow::Result<()> {
        run(Command::new("chown").arg(format!("--reference={model}")).arg(&self.folder)).map(drop)
    }

    /// Leaves no room on it: it becomes as small as what is on it.
    ///
    /// # Errors
    /// When its size cannot be changed.
    pub fn fill(&self) -> anyhow::Result<()> {
        /// What may be written between looking and shrinking.
        const MARGIN_KILOBYTES: u64 = 128;
        let shrink = || {
            let used = run(Command::new("df").args(["--output=used", "-k"]).arg(&self.folder))?;
            let used = String::from_utf8_lossy(&used.stdout);
            let kilobytes: u64 = used.lines().last().unwrap_or_default().trim().parse().context("reading df")?;
            self.resize(&format!("size={}k", kilobytes + MARGIN_KILOBYTES))
        };
        // More may have been written than that.
        shrink().or_else(|_| shrink()).or_else(|_| shrink())
    }

    /// Makes room again.
    ///
    /// # Errors
    /// When its size cannot be changed.
    pub fn empty(&self) -> anyhow::Result<()> {
        self.resize(&self.size())
    }

    fn size(&self) -> String {
        format!("size={}m", self.megabytes)
    }

    fn resize(&self, size: &str) -> anyhow::Result<()> {
        run(Command::new("mount").args(["-o", &format!("remount,{size}")]).arg(&self.folder)).map(drop)
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // Where it was never mounted there is nothing to take away.
        let _ = run(Command::new("umount").arg("-l").arg(&self.folder));
    }
}

fn run(command: &mut Command) -> anyhow::Result<Output> {
    let output = command.output().with_context(|| format!("starting {}", command.get_program().display()))?;
    let program = command.get_program().display();
    anyhow::ensure!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    Ok(output)
}
