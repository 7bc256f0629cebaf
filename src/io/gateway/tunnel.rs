//! Owns passing bytes between two ends, and counting them. Never looks at one.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, split};
use tokio::time::timeout;

/// Time that both ends may be silent.
const SILENCE: Duration = Duration::from_secs(300);
/// Bytes that are passed at one time.
const CHUNK: usize = 16 << 10;

/// Counts the bytes that passed, whatever becomes of the tunnel.
#[derive(Debug, Default)]
pub(super) struct Passed {
    pub(super) out: AtomicU64,
    pub(super) back: AtomicU64,
}

/// Passes bytes until both ends have said all, or one breaks off; tells whether it was the former.
pub(super) async fn pass(
    near: impl AsyncRead + AsyncWrite + Unpin,
    far: impl AsyncRead + AsyncWrite + Unpin,
    passed: &Passed,
) -> bool {
    let ((near_read, near_write), (far_read, far_write)) = (split(near), split(far));
    let both =
        tokio::try_join!(one_way(near_read, far_write, &passed.out), one_way(far_read, near_write, &passed.back));
    both.is_ok()
}

async fn one_way(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    count: &AtomicU64,
) -> std::io::Result<()> {
    let mut chunk = vec![0; CHUNK];
    loop {
        let read = timeout(SILENCE, from.read(&mut chunk)).await??;
        if read == 0 {
            return to.shutdown().await;
        }
        count.fetch_add(read as u64, Ordering::Relaxed);
        timeout(SILENCE, to.write_all(&chunk[..read])).await??;
    }
}
