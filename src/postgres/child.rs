//! Another program as a child of this process: with nothing of Postgres in it, and never outliving it.

use crate::postgres::signals::{self, SignalsBlocked};
use std::ffi::OsStr;
use std::io::{self, PipeReader, PipeWriter, Read, Write};
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};

/// Variables that the program may see besides those that are set for it: where libraries, devices and the
/// local time are.
const KEPT: [&str; 3] = ["TZ", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES"];
const KEPT_PREFIX: &str = "NVIDIA_";

/// A running program. Reading and writing never block.
pub struct Child {
    process: std::process::Child,
    control: PipeWriter,
    log: PipeReader,
}

impl Child {
    /// Starts `executable`, with `environment` set besides the little that is kept.
    ///
    /// Its standard input is [`Child::write`], its two outputs are [`Child::read`]; it has no other descriptor, no
    /// signal blocked or ignored, a process group of its own, and dies with this process.
    pub fn start<'a>(
        executable: &Path,
        arguments: &[&str],
        environment: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> io::Result<Self> {
        let (input, control) = io::pipe()?;
        let (log, output) = io::pipe()?;
        let mut command = Command::new(executable);
        command.args(arguments).env_clear();
        command.envs(std::env::vars_os().filter(|(name, _)| is_kept(name)));
        command.envs(environment);
        command.stdin(Stdio::from(input)).stdout(output.try_clone()?).stderr(output);
        command.process_group(0);
        let parent = std::process::id();
        // SAFETY: the closure makes system calls alone; this process has one thread.
        unsafe { command.pre_exec(move || prepare(parent)) };
        for descriptor in [control.as_fd(), log.as_fd()] {
            set_nonblocking(descriptor)?;
        }
        // A signal that comes between fork and exec would run Postgres' handlers in the child.
        let _blocked = SignalsBlocked::new();
        let process = command.spawn()?;
        Ok(Self { process, control, log })
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Readable when there is something to [`Child::read`], or its end.
    pub fn log(&self) -> BorrowedFd<'_> {
        self.log.as_fd()
    }

    /// Some of what it has written; 0 when its outputs are closed, `WouldBlock` where there is nothing now.
    pub fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.log.read(into)
    }

    /// Gives it some of `bytes`; `WouldBlock` where it does not take any now.
    pub fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.control.write(bytes)
    }

    /// Ends it at once, whatever it does.
    pub fn kill(&mut self) {
        // An error where it has ended already.
        let _ = self.process.kill();
    }

    /// How it ended, `None` while it runs. Does not wait.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.process.try_wait()
    }
}

fn is_kept(name: &OsStr) -> bool {
    name.to_str().is_some_and(|name| KEPT.contains(&name) || name.starts_with(KEPT_PREFIX))
}

/// In the child, before it becomes another program.
fn prepare(parent: u32) -> io::Result<()> {
    signals::reset_all();
    close_on_exec();
    // SAFETY: plain system calls.
    unsafe {
        if libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) != 0 {
            return Err(io::Error::last_os_error());
        }
        // It may have died before it was asked for.
        if u32::try_from(libc::getppid()) != Ok(parent) {
            libc::_exit(1);
        }
    }
    Ok(())
}

/// Every descriptor but the first three: files, sockets and pipes of the server. They are marked rather than
/// closed, since one of them tells the parent of a failed exec.
fn close_on_exec() {
    const FIRST: u32 = 3;
    const MOST: i64 = 65_536;
    // SAFETY: plain system calls; descriptors that are not open are refused.
    unsafe {
        let (range, flag) = (libc::SYS_close_range, libc::CLOSE_RANGE_CLOEXEC);
        if libc::syscall(range, FIRST, u32::MAX, flag) == 0 {
            return;
        }
        // A kernel before 5.11.
        let last = libc::sysconf(libc::_SC_OPEN_MAX).clamp(0, MOST);
        for descriptor in FIRST as i32..last as i32 {
            libc::fcntl(descriptor, libc::F_SETFD, libc::FD_CLOEXEC);
        }
    }
}

fn set_nonblocking(descriptor: BorrowedFd<'_>) -> io::Result<()> {
    // SAFETY: plain system calls on an open descriptor.
    unsafe {
        let flags = libc::fcntl(descriptor.as_raw_fd(), libc::F_GETFL);
        if flags < 0
            || libc::fcntl(descriptor.as_raw_fd(), libc::F_SETFL, flags | libc::O_NONBLOCK) < 0
        {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
