//! The socket that sessions connect to: made, guarded, and made again when somebody removed it.
//!
//! Only processes of the same user may connect: the directory is closed to others, and each peer's credentials
//! are checked.

use crate::connection;
use crate::engine::Engine;
use crate::log;
use crate::waker::Waker;
use protocol::{Fault, FaultCode, FromEngine, encode};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{Mode, chmod};
use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{SendFlags, listen, send};
use rustix::process::{Resource, geteuid, getrlimit, setrlimit};
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::Builder;
use std::time::{Duration, Instant};

/// Sessions that may be connected; what a server may have with all settings at their usual greatest.
const MOST_CONNECTIONS: usize = 4096;
/// Descriptors that are not connections': models, libraries, pipes.
const OTHER_DESCRIPTORS: u64 = 256;
/// How often the socket's file is looked after.
const CHECK: Duration = Duration::from_secs(1);
/// Of a connection's thread: tokenizing and messages nest a little.
const STACK: usize = 2 << 20;

/// The listening socket, and the file that leads to it.
pub struct Socket {
    path: PathBuf,
    listener: UnixListener,
    /// Device and inode of the file.
    file: (u64, u64),
}

/// Whose socket is where ours should be.
enum Found {
    Ours,
    Nobodys,
    Anothers,
}

impl Socket {
    /// Makes the directory and the socket; one that is left over from another engine is replaced.
    ///
    /// # Errors
    /// Those of the file system; `PermissionDenied` where the directory is another user's.
    pub fn bind(path: &Path) -> io::Result<Self> {
        private_directory(path)?;
        // Under a name of its own first, so that nobody ever finds a socket that does not listen, or is open to all.
        let temporary = path.with_extension(std::process::id().to_string());
        remove(&temporary)?;
        let listener = UnixListener::bind(&temporary)?;
        chmod(&temporary, Mode::RUSR | Mode::WUSR)?;
        listen(&listener, MOST_CONNECTIONS as i32)?;
        listener.set_nonblocking(true)?;
        let file = identity(&temporary)?;
        if let Err(error) = fs::rename(&temporary, path) {
            let _ = remove(&temporary);
            return Err(error);
        }
        Ok(Self { path: path.to_owned(), listener, file })
    }

    fn found(&self) -> Found {
        match identity(&self.path) {
            Ok(file) if file == self.file => Found::Ours,
            Ok(_) => Found::Anothers,
            Err(_) => Found::Nobodys,
        }
    }

    /// Removes the file, where it is still this socket's.
    fn remove(&self) {
        if matches!(self.found(), Found::Ours) {
            let _ = remove(&self.path);
        }
    }
}

/// Accepts sessions until another engine takes the place, or, which is true then, until the waker is called.
pub fn accept(mut socket: Socket, engine: &Arc<Engine>, stop: &Waker) -> bool {
    let most = most_connections();
    let mut checked = Instant::now();
    let mut failing = false;
    loop {
        if wait(&socket.listener, stop) {
            socket.remove();
            return true;
        }
        if checked.elapsed() >= CHECK {
            checked = Instant::now();
            match socket.found() {
                Found::Ours => {}
                Found::Anothers => {
                    log::warning("another engine has taken this one's place");
                    return false;
                }
                Found::Nobodys => match Socket::bind(&socket.path) {
                    Ok(new) => {
                        log::warning("the engine's socket was removed, and is made again");
                        (socket, failing) = (new, false);
                    }
                    Err(error) if !failing => {
                        log::warning(format_args!("the engine's socket cannot be made: {error}"));
                        failing = true;
                    }
                    Err(_) => {}
                },
            }
        }
        match socket.listener.accept() {
            Ok((stream, _)) => welcome(stream, engine, most),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => {
                // Most likely no descriptors are left: they come back when sessions go.
                log::warning(format_args!("a session cannot be accepted: {error}"));
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    }
}

/// Waits for a session, though not for long. Whether the waker was called.
fn wait(listener: &UnixListener, stop: &Waker) -> bool {
    let timeout = Timespec { tv_sec: CHECK.as_secs() as i64, tv_nsec: 0 };
    let mut fds = [PollFd::new(listener, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
    match poll(&mut fds, Some(&timeout)) {
        Ok(_) => !fds[1].revents().is_empty(),
        Err(Errno::INTR) => false,
        Err(error) => {
            log::warning(format_args!("the engine cannot wait for sessions: {error}"));
            std::thread::sleep(CHECK);
            false
        }
    }
}

/// A thread for the session, where it may be here.
fn welcome(stream: UnixStream, engine: &Arc<Engine>, most: usize) {
    match socket_peercred(&stream) {
        Ok(peer) if peer.uid == geteuid() => {}
        Ok(peer) => {
            let user = peer.uid.as_raw();
            return log::warning(format_args!("a process of user {user} tried to connect"));
        }
        Err(error) => return log::warning(format_args!("a peer without credentials: {error}")),
    }
    if engine.connections.fetch_add(1, Ordering::Relaxed) >= most {
        engine.connections.fetch_sub(1, Ordering::Relaxed);
        return refuse(&stream, &no_room(&format!("{most} sessions are connected")));
    }
    let guest = Arc::clone(engine);
    let spare = stream.try_clone();
    let serve = move || {
        let guest = Guest(guest);
        connection::serve(stream, &guest.0);
    };
    let thread = Builder::new().name("connection".to_owned()).stack_size(STACK);
    if let Err(error) = thread.spawn(serve) {
        engine.connections.fetch_sub(1, Ordering::Relaxed);
        if let Ok(stream) = spare {
            refuse(&stream, &no_room(&error.to_string()));
        }
    }
}

/// A session that is counted.
struct Guest(Arc<Engine>);

impl Drop for Guest {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Tells a session why it cannot stay; one that does not listen is not waited for.
fn refuse(stream: &UnixStream, fault: &Fault) {
    if let Ok(frame) = encode(&FromEngine::Refused(fault.clone())) {
        let _ = send(stream, &frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL);
    }
}

fn no_room(why: &str) -> Fault {
    Fault::new(FaultCode::InsufficientResources, "the engine has no room for another session")
        .detail(format!("{why}."))
        .hint(
            "Use fewer sessions, or raise the server's limits on open files, processes and memory.",
        )
}

/// Each session takes a socket and an eventfd; the limit on descriptors is raised as far as it goes.
fn most_connections() -> usize {
    let limit = getrlimit(Resource::Nofile);
    let wanted = 2 * MOST_CONNECTIONS as u64 + OTHER_DESCRIPTORS;
    let raised = limit.maximum.map_or(wanted, |most| most.min(wanted));
    let mut current = limit.current.unwrap_or(wanted);
    if current < raised {
        let new = rustix::process::Rlimit { current: Some(raised), maximum: limit.maximum };
        match setrlimit(Resource::Nofile, new) {
            Ok(()) => current = raised,
            Err(error) => log::warning(format_args!("the limit on descriptors stays: {error}")),
        }
    }
    let left = current.saturating_sub(OTHER_DESCRIPTORS).max(2) / 2;
    MOST_CONNECTIONS.min(usize::try_from(left).unwrap_or(MOST_CONNECTIONS))
}

/// The directory of the socket, closed to other users.
fn private_directory(path: &Path) -> io::Result<()> {
    let Some(directory) = path.parent().filter(|parent| !parent.as_os_str().is_empty()) else {
        return Ok(());
    };
    DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    if fs::symlink_metadata(directory)?.uid() != geteuid().as_raw() {
        let reason = format!("directory {} is another user's", directory.display());
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, reason));
    }
    Ok(chmod(directory, Mode::RWXU)?)
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    let file = fs::symlink_metadata(path)?;
    Ok((file.dev(), file.ino()))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
