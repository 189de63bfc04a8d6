//! Where choices and the last picture are kept from one run to the next.
//!
//! Two files: what the user chose, and what was last known, which is a cache; and a third with the token of a session,
//! where its user wants to stay logged in. Each is written beside the old one and then put in its place; a power cut
//! leaves either the old choices or the new ones. Nobody but their owner can read them.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;

use crate::{choices::Choices, client::Login, desk::Desk, settings::WindowSettings, state::picture::Picture};

const CHOICES: &str = "choices.json";
const PICTURE: &str = "picture.json";
const SESSION: &str = "session.json";

/// A folder, if this system has a place for one.
#[derive(Debug, Clone)]
pub(crate) struct Store {
    folder: Option<PathBuf>,
    /// The choices as they were last written.
    kept: Vec<u8>,
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

#[derive(Serialize, Deserialize)]
struct SessionOf {
    /// Nobody else is to get the token.
    api: String,
    login: Login,
}

impl Store {
    /// The folder that the settings name, or else the system's.
    pub(crate) fn of(settings: &WindowSettings) -> Self {
        let usual =
            || directories::ProjectDirs::from("", "", "crypto-tracker").map(|dirs| dirs.data_dir().join("dashboard"));
        Self { folder: settings.dashboard_folder.clone().or_else(usual), kept: Vec::new() }
    }

    /// Where the window's own place and size are kept.
    pub(crate) fn window(&self) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join("window.ron"))
    }

    /// What was chosen; what cannot be read is as at first, and the file is put aside.
    pub(crate) fn choices(&self) -> (Choices, Desk) {
        let Some(path) = self.path(CHOICES) else { return Default::default() };
        let Some(read) = read::<Read>(&path) else { return Default::default() };
        let choices = serde_json::from_value::<Choices>(read.choices).ok();
        let desk = serde_json::from_value::<Desk>(read.desk).ok().and_then(Desk::whole);
        if choices.is_none() || desk.is_none() {
            // The rest counts, and nothing that somebody made is written over.
            let aside = path.with_extension("broken");
            tracing::warn!(path = %path.display(), aside = %aside.display(), "not all of it can be read; a copy is put aside");
            let _ = fs::copy(&path, aside);
        }
        (choices.unwrap_or_default(), desk.unwrap_or_default())
    }

    /// Keeps what was chosen.
    pub(crate) fn keep_choices(&mut self, choices: &Choices, desk: &Desk) {
        let written = serde_json::to_vec(&Written { choices, desk }).unwrap_or_default();
        // Waiting for the disk takes longer than a frame, and is seldom needed.
        if written.is_empty() || written == self.kept {
            return;
        }
        self.put(CHOICES, &written, true);
        self.kept = written;
    }

    /// What was last known of this API.
    pub(crate) fn picture(&self, api: &str) -> Option<Picture> {
        let kept: PictureOf = read(&self.path(PICTURE)?)?;
        (kept.api == api).then_some(kept.picture)
    }

    /// Keeps what is known of this API.
    pub(crate) fn keep_picture(&self, api: &str, picture: Picture) {
        match serde_json::to_vec(&PictureOf { api: api.to_owned(), picture }) {
            // A cache: whatever a power cut leaves of it can be spared.
            Ok(written) => self.put(PICTURE, &written, false),
            Err(error) => tracing::warn!(%error, "the picture cannot be written"),
        }
    }

    /// The session that is to go on at this API.
    pub(crate) fn session(&self, api: &str) -> Option<Login> {
        let kept: SessionOf = read(&self.path(SESSION)?)?;
        (kept.api == api).then_some(kept.login)
    }

    /// Keeps the session for later runs, or no longer.
    pub(crate) fn keep_session(&self, api: &str, login: Option<&Login>) {
        let Some(path) = self.path(SESSION) else { return };
        match login.map(|login| serde_json::to_vec(&SessionOf { api: api.to_owned(), login: login.clone() })) {
            Some(Ok(written)) => self.put(SESSION, &written, true),
            Some(Err(error)) => tracing::warn!(%error, "the session cannot be kept"),
            None => match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    tracing::warn!(%error, path = %path.display(), "cannot be removed");
                }
                _ => {}
            },
        }
    }

    fn path(&self, name: &str) -> Option<PathBuf> {
        self.folder.as_ref().map(|folder| folder.join(name))
    }

    fn put(&self, name: &str, content: &[u8], lasting: bool) {
        let Some(path) = self.path(name) else { return };
        if let Err(error) = replace(&path, content, lasting) {
            tracing::warn!(%error, path = %path.display(), "cannot be kept for the next run");
        }
    }
}

fn replace(path: &Path, content: &[u8], lasting: bool) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let beside = path.with_extension("new");
    let mut file = fs::File::create(&beside)?;
    // Before there is anything in it to be read.
    #[cfg(unix)]
    file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
    file.write_all(content)?;
    if lasting {
        file.sync_all()?;
    }
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
        client::Secret,
        desk::DeskChange,
        state::tests::{at, with_prices},
        zone::Zone,
    };

    fn store(folder: &Path) -> Store {
        Store { folder: Some(folder.join("deep")), kept: Vec::new() }
    }

    #[test]
    fn what_was_kept_is_there_in_the_next_run() {
        let folder = tempfile::tempdir().unwrap();
        let mut store = store(folder.path());
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
        let mut store = store(folder.path());
        store.keep_choices(&Choices { zone: Zone::Local, ..Choices::default() }, &Desk::default());
        let path = store.path(CHOICES).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        fs::write(&path, text.replace("\"shown\":0", "\"shown\":99")).unwrap();
        let (choices, desk) = store.choices();
        assert_eq!((choices.zone, desk.shown()), (Zone::Local, 2), "the last one there is");
        fs::write(&path, text.replace("\"Vertical\"", "\"Diagonal\"")).unwrap();
        let (choices, desk) = store.choices();
        assert_eq!((choices.zone, desk.shown()), (Zone::Local, 0));
        assert!(fs::read_to_string(path.with_extension("broken")).unwrap().contains("Diagonal"));
        fs::write(&path, "{\"cho").unwrap();
        assert_eq!(store.choices().0, Choices::default());
        assert_eq!(fs::read_to_string(path.with_extension("broken")).unwrap(), "{\"cho");
    }

    #[test]
    fn a_session_is_kept_for_its_api_and_its_owner_alone_until_the_log_out() {
        let folder = tempfile::tempdir().unwrap();
        let store = store(folder.path());
        assert_eq!(store.session("http://one"), None);
        let login = Login { username: "ada".into(), refresh: Secret::new("ctr_x".into()), stays: true };
        store.keep_session("http://one", Some(&login));
        assert_eq!((store.session("http://one"), store.session("http://other")), (Some(login), None));
        #[cfg(unix)]
        {
            let mode = fs::metadata(store.path(SESSION).unwrap()).unwrap();
            assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode.permissions()) & 0o777, 0o600);
        }
        store.keep_session("http://one", None);
        store.keep_session("http://one", None);
        assert!(store.session("http://one").is_none() && !store.path(SESSION).unwrap().exists());
    }

    #[test]
    fn without_a_folder_nothing_is_kept_and_nothing_fails() {
        let mut store = Store { folder: None, kept: Vec::new() };
        store.keep_choices(&Choices::default(), &Desk::default());
        assert_eq!(store.choices().0, Choices::default());
        assert!(store.picture("").is_none());
    }
}
