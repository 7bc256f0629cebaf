//! Owns what reaches the process from a person while a run is shown: keys, and the signals by which it is asked to end or
//! to be put aside. Never decides what they mean.

use std::future::pending;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use ratatui::crossterm::event::{Event, KeyEvent, poll, read};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

/// How soon the thread that waits for keys sees that nobody wants them any longer.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// States what was heard.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A key.
    Key(KeyEvent),
    /// A text that was pasted.
    Paste(String),
    /// The terminal has another size.
    Resized,
    /// SIGINT.
    Interrupt,
    /// SIGTERM.
    Terminate,
    /// SIGTSTP.
    Suspend,
}

/// Listens.
pub struct Input {
    interrupt: Signal,
    terminate: Signal,
    suspend: Option<Signal>,
    keys: Option<Keys>,
}

impl Input {
    /// Listens for the signals that end a run.
    ///
    /// # Errors
    /// Where the system does not let it.
    pub fn of_signals() -> io::Result<Self> {
        let (interrupt, terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        Ok(Self { interrupt, terminate, suspend: None, keys: None })
    }

    /// Listens beside that for what a person does at the terminal: for keys, where there are any.
    ///
    /// # Errors
    /// As [`Input::of_signals`].
    pub fn of_terminal(has_keys: bool) -> io::Result<Self> {
        let suspend = signal(SignalKind::from_raw(rustix::process::Signal::TSTP.as_raw()))?;
        let keys = if has_keys { Some(Keys::listen()?) } else { None };
        Ok(Self { suspend: Some(suspend), keys, ..Self::of_signals()? })
    }

    /// Waits for what comes next. Nothing is lost where the waiting is given up.
    pub async fn next(&mut self) -> Heard {
        tokio::select! {
            _ = self.interrupt.recv() => Heard::Interrupt,
            _ = self.terminate.recv() => Heard::Terminate,
            () = of_signal(self.suspend.as_mut()) => Heard::Suspend,
            heard = of_keys(self.keys.as_mut()) => heard,
        }
    }
}

async fn of_signal(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => drop(signal.recv().await),
        None => pending().await,
    }
}

async fn of_keys(keys: Option<&mut Keys>) -> Heard {
    if let Some(keys) = keys
        && let Some(heard) = keys.heard.recv().await
    {
        return heard;
    }
    // A terminal that is gone says nothing more.
    pending().await
}

/// Reads keys on a thread of its own until it is dropped.
struct Keys {
    heard: UnboundedReceiver<Heard>,
    is_over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Keys {
    fn listen() -> io::Result<Self> {
        let (tell, heard) = unbounded_channel();
        let is_over = Arc::new(AtomicBool::new(false));
        let over = Arc::clone(&is_over);
        let thread = std::thread::Builder::new().name("keys".to_owned()).spawn(move || {
            while !over.load(Ordering::Relaxed) {
                let event = match poll(LOOK_EVERY) {
                    Ok(false) => continue,
                    Ok(true) => read(),
                    Err(error) => Err(error),
                };
                let heard = match event {
                    Ok(Event::Key(key)) => Heard::Key(key),
                    Ok(Event::Paste(text)) => Heard::Paste(text),
                    Ok(Event::Resize(..)) => Heard::Resized,
                    Ok(Event::FocusGained | Event::FocusLost | Event::Mouse(_)) => continue,
                    Err(_) => return,
                };
                if tell.send(heard).is_err() {
                    return;
                }
            }
        })?;
        Ok(Self { heard, is_over, thread: Some(thread) })
    }
}

impl Drop for Keys {
    /// Waits for the thread: what is typed from here on is for whoever reads the terminal next.
    fn drop(&mut self) {
        self.is_over.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
