//! Where choices and the last picture are kept from one run to the next.
//!
//! Two files: what the user chose, and what was last known, which is a cache. Each is written beside the old one and
//! then put in its place, so that a power cut leaves either the one or the other.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{choices::Choices, desk::Desk, settings::WindowSettings, state::picture::Picture};

const CHOICES: &str = "choices.json";
const PICTURE: &str = "picture.json";

/// A folder, if this system has a place for one.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: Option<PathBuf>,
}

#[derive(Serialize)]
struct Written<'a> {
    choices: &'a Choices,
    desk: &'a Desk,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Read {
    choices: Value,
    desk: Value,
}

#[derive(Serialize, Deserialize)]
struct PictureOf {
    /// Of another API's data there is nothing to be seen here.
    api: String,
    picture: Picture,
}

impl Store {
    /// The folder that the settings name, or else the system's.
    pub(crate) fn of(settings: &WindowSettings) -> Self {
        let usual =
            || directories::ProjectDirs::from("", "", "crypto-tracker").map(|dirs| dirs.data_dir().join("dashboard"));
        Self { folder: settings.dashboard_folder.clone().or_else(usual) }
    }

    /// Where the window's own place and size are kept.
    pub(crate) fn window(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join("window.ron"))
    }

    /// What was chosen; what cannot be read is as at first, and the file is put aside.
    pub(crate) fn choices(&self) -> (Choices, Desk) {
        let Some(path) = self.path(CHOICES) else { return Default::default() };
        let read: Read = read(&path).unwrap_or_default();
        let choices = serde_json::from_value(read.choices).unwrap_or_default();
        let desk = serde_json::from_value::<Desk>(read.desk).ok().and_then(Desk::whole).unwrap_or_default();
        (choices, desk)
    }

    /// Keeps what was chosen.
    pub(crate) fn keep_choices(&self, choices: &Choices, desk: &Desk) {
        self.keep(CHOICES, &Written { choices, desk });
    }

    /// What was last known of this API.
    pub(crate) fn picture(&self, api: &str) -> Option<Picture> {
        let kept: PictureOf = read(&self.path(PICTURE)?)?;
        (kept.api == api).then_some(kept.picture)
    }

    /// Keeps what is known of this API.
    pub(crate) fn keep_picture(&self, api: &str, picture: Picture) {
        self.keep(PICTURE, &PictureOf { api: api.to_owned(), picture });
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name))
    }

    fn keep(&self, name: &str, content: &impl Serialize) {
        let Some(path) = self.path(name) else { return };
        let written = serde_json::to_vec(content).map_err(io::Error::from).and_then(|text| replace(&path, &text));
        if let Err(error) = written {
            tracing::warn!(%error, path = %path.display(), "cannot be kept for the next run");
        }
    }
}

fn replace(path: &Path, content: &[u8]) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("new");
    fs::write(&beside, content)?;
    fs::rename(&beside, path)
}

/// The file's content; one that cannot be read is put aside, so that the next write does not take it away.
fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    let text = fs::read(path).ok()?;
    match serde_json::from_slice(&text) {
        Ok(content) => Some(content),
        Err(error) => {
            let aside = path.with_extension("broken");
            tracing::warn!(%error, path = %path.display(), aside = %aside.display(), "cannot be read and is put aside");
            // Where even that fails, it is lost with the next write.
            let _ = fs::rename(path, aside);
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        desk::DeskChange,
        state::tests::{at, with_prices},
        zone::Zone,
    };

    fn store(folder: &Path) -> Store {
        Store { folder: Some(folder.join("deep")) }
    }

    #[test]
    fn what_was_kept_is_there_in_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        assert_eq!(store.choices().0, Choices::default());
        let choices = Choices { zone: Zone::Local, ..Choices::default() };
        let mut desk = Desk::default();
        desk.obey(DeskChange::Rename("Mine".into()));
        store.keep_choices(&choices, &desk);
        let (read, desk) = store.choices();
        assert_eq!((read, desk.current().name.as_str()), (choices, "Mine"));

        store.keep_picture("http://one", with_prices().picture(at("12:00:00")).unwrap());
        assert!(store.picture("http://one").is_some() && store.picture("http://other").is_none());
    }

    #[test]
    fn what_is_broken_is_put_aside_and_a_broken_desk_takes_no_choices_with_it() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        store.keep_choices(&Choices { zone: Zone::Local, ..Choices::default() }, &Desk::default());
        let path = store.path(CHOICES).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"shown\":0", "\"shown\":99")).unwrap();
        let (choices, desk) = store.choices();
        assert_eq!((choices.zone, desk.shown()), (Zone::Local, 0));
        fs::write(&path, "{\"cho").unwrap();
        assert_eq!(store.choices().0, Choices::default());
        assert_eq!(fs::read_to_string(path.with_extension("broken")).unwrap(), "{\"cho");
    }

    #[test]
    fn without_a_folder_nothing_is_kept_and_nothing_fails() {
        let store = Store { folder: None };
        store.keep_choices(&Choices::default(), &Desk::default());
        assert_eq!(store.choices().0, Choices::default());
        assert!(store.picture("").is_none());
    }
}
