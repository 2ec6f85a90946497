//! The bytes' way to a device and back: a command's standard input and output, or a port.

use core::time::Duration;
use std::fs::File;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel, sync_channel};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, bail};

/// What came.
pub(super) enum Event {
    Bytes(Vec<u8>),
    /// There will be nothing more.
    End,
}

/// A device that can be written to without ever blocking, and read from for a limited time: a thread does each.
pub(super) struct Link {
    child: Option<Child>,
    requests: Sender<Vec<u8>>,
    events: Receiver<Event>,
}

/// How long a device whose output has ended may take to exit, before it is said to be running still.
const EXIT: Duration = Duration::from_secs(1);

impl Link {
    /// Starts `device`, a command with its arguments as a shell would take them; or opens it, if it is a port.
    pub(super) fn open(device: &str) -> Result<Self> {
        if let Some(port) = open_port(device)? {
            let reader = port.try_clone().with_context(|| format!("cannot read {device}"))?;
            return Ok(Self::new(None, reader, port));
        }
        let words = shell_words::split(device).with_context(|| format!("--device: {device}"))?;
        let Some((program, arguments)) = words.split_first() else {
            bail!("--device: expected a command or a port, got an empty string");
        };
        let mut command = Command::new(program);
        command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child =
            command.spawn().with_context(|| format!("cannot start the device `{program}`"))?;
        let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
        let (Some(stdin), Some(stdout)) = (stdin, stdout) else {
            bail!("the device `{program}` has no standard input or output");
        };
        Ok(Self::new(Some(child), stdout, stdin))
    }

    pub(super) fn new(
        child: Option<Child>,
        mut reader: impl Read + Send + 'static,
        mut writer: impl Write + Send + 'static,
    ) -> Self {
        let (requests, to_write) = channel::<Vec<u8>>();
        thread::spawn(move || {
            // A device that takes no more will not answer either, and that is found out by waiting for it.
            while let Ok(bytes) = to_write.recv() {
                if writer.write_all(&bytes).and_then(|()| writer.flush()).is_err() {
                    break;
                }
            }
        });
        // Bounded: a command that prints without end waits, instead of filling the memory.
        let (came, events) = sync_channel(16);
        thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(len) if came.send(Event::Bytes(buffer[..len].to_vec())).is_err() => return,
                    Ok(_) => {}
                    Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
            }
            let _ = came.send(Event::End);
        });
        Self { child, requests, events }
    }

    /// Sends bytes, sooner or later.
    pub(super) fn send(&self, bytes: Vec<u8>) {
        // As above: what cannot be sent will not be answered.
        let _ = self.requests.send(bytes);
    }

    /// What comes until then; nothing if nothing does.
    pub(super) fn receive(&self, until: Instant) -> Option<Event> {
        match self.events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(event) => Some(event),
            Err(RecvTimeoutError::Timeout) => None,
            Err(RecvTimeoutError::Disconnected) => Some(Event::End),
        }
    }

    /// In what way a device has ended whose output has.
    pub(super) fn how_it_ended(&mut self) -> String {
        let Some(child) = &mut self.child else { return "the port was closed".to_owned() };
        let until = Instant::now() + EXIT;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return status.to_string(),
                Ok(None) if Instant::now() < until => thread::sleep(Duration::from_millis(2)),
                Ok(None) => return "it closed its output and still runs".to_owned(),
                Err(error) => return error.to_string(),
            }
        }
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The port of this name, if it is one.
#[cfg(unix)]
fn open_port(name: &str) -> Result<Option<File>> {
    use std::os::unix::fs::FileTypeExt;
    let is_port = |path: &Path| path.metadata().is_ok_and(|m| m.file_type().is_char_device());
    if !is_port(Path::new(name)) {
        return Ok(None);
    }
    let port = File::options().read(true).write(true).open(name);
    Ok(Some(port.with_context(|| format!("cannot open {name}"))?))
}

#[cfg(not(unix))]
fn open_port(_name: &str) -> Result<Option<File>> {
    Ok(None)
}
