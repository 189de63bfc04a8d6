//! Notifications of the desktop, given from a thread of their own: the desktop may take its time.

use std::{
    sync::mpsc::{Receiver, SyncSender, sync_channel},
    thread,
};

use notify_rust::Notification;

/// Notifications that may wait; more than that nobody reads.
const WAITING: usize = 8;

/// The desktop, as far as it listens.
#[derive(Debug)]
pub(crate) struct Desktop {
    told: SyncSender<(String, String, bool)>,
    failed: Receiver<String>,
}

impl Desktop {
    /// Begins to listen; nothing is asked of the desktop before there is something to tell.
    ///
    /// # Errors
    /// When there can be no more threads.
    pub(crate) fn new() -> std::io::Result<Self> {
        let (told, wanted) = sync_channel::<(String, String, bool)>(WAITING);
        let (fail, failed) = sync_channel(1);
        thread::Builder::new().name("notifications".to_owned()).spawn(move || {
            while let Ok((title, words, sound)) = wanted.recv() {
                let mut notification = Notification::new();
                notification.appname("crypto-tracker").summary(&title).body(&words).icon("crypto-tracker-dashboard");
                if sound {
                    // A name of the freedesktop.org theme; where the desktop has no such sound it is silent.
                    notification.sound_name("message-new-instant");
                }
                if let Err(error) = notification.show() {
                    tracing::warn!(%error, "the desktop takes no notification");
                    // One failure is told; those behind it say the same.
                    let _ = fail.try_send(error.to_string());
                }
            }
        })?;
        Ok(Self { told, failed })
    }

    /// Tells it, if it keeps up, and asks it for a sound.
    pub(crate) fn tell(&self, title: &str, words: &str, sound: bool) {
        if self.told.try_send((title.to_owned(), words.to_owned(), sound)).is_err() {
            tracing::warn!(title, "the desktop does not keep up; a notification is dropped");
        }
    }

    /// Why the last one was not taken, if it was not.
    pub(crate) fn failure(&self) -> Option<String> {
        self.failed.try_recv().ok()
    }
}
