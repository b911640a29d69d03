//! A Unix socket that never blocks, not even while it connects.

use std::ffi::CStr;
use std::io;
use std::mem::{offset_of, zeroed};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::net::UnixStream;

/// Connects to the socket at `path`, which is taken from the working directory: that of the server's data, so
/// that the 107 bytes of an address are enough wherever the data lie.
///
/// # Errors
/// Those of `connect`: `NotFound` and `ConnectionRefused` where nobody listens, `WouldBlock` where too many
/// want to be taken.
pub fn connect(path: &CStr) -> io::Result<UnixStream> {
    let bytes = path.to_bytes_with_nul();
    // SAFETY: plain system calls; the address is of the right type, and its path with the NUL fits.
    unsafe {
        let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
        let socket = match libc::socket(libc::AF_UNIX, kind, 0) {
            -1 => return Err(io::Error::last_os_error()),
            descriptor => OwnedFd::from_raw_fd(descriptor),
        };
        let mut address: libc::sockaddr_un = zeroed();
        address.sun_family = libc::AF_UNIX as libc::sa_family_t;
        if bytes.len() > address.sun_path.len() {
            return Err(io::ErrorKind::InvalidFilename.into());
        }
        for (to, from) in address.sun_path.iter_mut().zip(bytes) {
            *to = *from as libc::c_char;
        }
        let length = offset_of!(libc::sockaddr_un, sun_path) + bytes.len();
        let address = (&raw const address).cast();
        match libc::connect(socket.as_raw_fd(), address, length as libc::socklen_t) {
            0 => Ok(UnixStream::from(socket)),
            _ => Err(io::Error::last_os_error()),
        }
    }
}
