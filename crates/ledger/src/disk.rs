//! The disk as the ledger uses it: a small trait, so that tests can fail, tear and kill at every durable step.

use std::fmt::Debug;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::{DirBuilderExt, FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use counterfoil_segment::ReadAt;
use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

/// The most bytes of a file that is read as a whole.
const MAX_FILE_BYTES: u64 = 4 << 30;
/// The most bytes of `ledger.toml`, `checkpoint` and a key file.
const MAX_SMALL_FILE_BYTES: u64 = 1 << 20;

/// An open file.
pub trait DiskFile: ReadAt {
    /// Writes all of `bytes` at `offset` bytes; durable only after [`DiskFile::sync`].
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()>;
    /// Makes the file's content and length durable.
    fn sync(&self) -> io::Result<()>;
    /// Reserves space up to `length` bytes; the new part reads as zeros.
    fn allocate(&self, length: u64) -> io::Result<()>;
    /// Begins to write durable zeros from the file's end at `from` up to `to`, on a thread of its own that nobody else may write
    /// there beside. `None` where the disk has no use for it.
    fn zero_ahead(self: Arc<Self>, _from: u64, _to: u64) -> Option<JoinHandle<io::Result<()>>> {
        None
    }
    /// Cuts the file to `length` bytes.
    fn truncate(&self, length: u64) -> io::Result<()>;
}

/// How a file looks without being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Its length in bytes.
    pub length: u64,
    /// When it was last written, in nanoseconds since 1970; 0 where the disk does not know.
    pub written: i64,
}

/// Keeps a folder locked until it is dropped.
pub trait FolderLock: Send + Sync + Debug {}

/// The operations on files and folders that the ledger needs.
pub trait Disk: Send + Sync + Debug {
    /// Makes a folder and those above it; one that exists is fine.
    fn create_folder(&self, path: &Path) -> io::Result<()>;
    /// The names in a folder, sorted.
    fn list(&self, path: &Path) -> io::Result<Vec<String>>;
    /// Opens a file for reading.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Opens a file for reading and writing.
    fn open_writable(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>>;
    /// Makes a new file; fails with `AlreadyExists` where one stands. `mode` is the Unix permission.
    fn create(&self, path: &Path, mode: u32) -> io::Result<Arc<dyn DiskFile>>;
    /// Renames a file over whatever has the new name.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// Removes a file.
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// Makes the names in a folder durable.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    /// Locks a folder for one process, or fails with `WouldBlock`.
    fn lock(&self, path: &Path) -> io::Result<Box<dyn FolderLock>>;

    /// Whether a path names something that only points elsewhere.
    fn is_link(&self, _path: &Path) -> bool {
        false
    }

    /// How a file looks without being read.
    fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        self.open(path).map(|file| Stamp { length: file.len(), written: 0 })
    }

    /// The whole content of a file.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read_at_most(path, MAX_FILE_BYTES)
    }

    /// The whole content of a file that is small by its nature.
    fn read_small(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.read_at_most(path, MAX_SMALL_FILE_BYTES)
    }

    /// The whole content of a file, if it has no more bytes than this.
    fn read_at_most(&self, path: &Path, most: u64) -> io::Result<Vec<u8>> {
        let file = self.open(path)?;
        let length = file.len();
        if length > most {
            let message = format!("it has {length} bytes, and such a file has at most {most}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, message));
        }
        let mut bytes = vec![0; usize::try_from(length).map_err(io::Error::other)?];
        file.read_at(0, &mut bytes)?;
        Ok(bytes)
    }

    /// Writes a new file and makes its content durable; its name still needs [`Disk::sync_folder`].
    fn write_new(&self, path: &Path, mode: u32, bytes: &[u8]) -> io::Result<()> {
        let file = self.create(path, mode)?;
        file.write_at(0, bytes)?;
        file.sync()
    }

    /// Replaces a small file so that a crash leaves the old or the new content, never a mixture.
    fn replace(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        let temporary = path.with_extension("tmp");
        match self.remove(&temporary) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
        self.write_new(&temporary, 0o644, bytes)?;
        self.rename(&temporary, path)?;
        self.sync_folder(path.parent().unwrap_or(Path::new(".")))
    }
}

/// The operating system's disk.
#[derive(Debug, Default, Clone, Copy)]
pub struct OsDisk;

#[derive(Debug)]
struct OsFile(File);

impl OsFile {
    /// Opens a regular file; anything else could hang its reader or lead elsewhere.
    fn open(options: &mut OpenOptions, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
        let file = options.custom_flags(flags.bits() as i32).open(path)?;
        if !file.metadata()?.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is no regular file"));
        }
        Ok(Arc::new(Self(file)))
    }
}

#[derive(Debug)]
struct OsLock(#[expect(dead_code, reason = "the lock lives as long as the open folder")] File);

impl FolderLock for OsLock {}

impl ReadAt for OsFile {
    fn len(&self) -> u64 {
        self.0.metadata().map_or(0, |metadata| metadata.len())
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(buffer, offset)
    }
}

impl DiskFile for OsFile {
    fn write_at(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn allocate(&self, length: u64) -> io::Result<()> {
        let grown = rustix::fs::fallocate(&self.0, rustix::fs::FallocateFlags::empty(), 0, length);
        match grown {
            Err(rustix::io::Errno::OPNOTSUPP | rustix::io::Errno::NOSYS) => self.0.set_len(length),
            other => Ok(other?),
        }
    }

    fn zero_ahead(self: Arc<Self>, from: u64, to: u64) -> Option<JoinHandle<io::Result<()>>> {
        let direct = format!("/proc/self/fd/{}", self.0.as_raw_fd());
        // Past the page cache: a sync of the frames has nothing to do with these zeros.
        let direct = OpenOptions::new().write(true).custom_flags(OFlags::DIRECT.bits() as i32).open(direct).ok()?;
        let zero = move || {
            self.allocate(to)?;
            zeros(&direct, from, to)?;
            // Through this handle: the other one's must not lose an error that its frames had.
            direct.sync_data()
        };
        std::thread::Builder::new().name("counterfoil-room".to_owned()).spawn(zero).ok()
    }

    fn truncate(&self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }
}

/// What a device may want the addresses, places and lengths of direct writes to be multiples of.
const DIRECT_BYTES: usize = 4096;

/// Zeros of one direct write: few enough that a frame that waits for it does not wait long.
const ZEROS_BYTES: usize = 128 << 10;

fn zeros(direct: &File, from: u64, to: u64) -> io::Result<()> {
    let room = vec![0; ZEROS_BYTES + DIRECT_BYTES];
    let aligned = room.as_ptr().align_offset(DIRECT_BYTES);
    let zeros = &room[aligned..aligned + ZEROS_BYTES];
    let mut at = from.next_multiple_of(DIRECT_BYTES as u64);
    while at < to {
        let length = (to - at).min(ZEROS_BYTES as u64) as usize;
        direct.write_all_at(&zeros[..length], at)?;
        at += length as u64;
    }
    Ok(())
}

impl Disk for OsDisk {
    fn create_folder(&self, path: &Path) -> io::Result<()> {
        let mode = if path.ends_with("keys") { 0o700 } else { 0o750 };
        fs::DirBuilder::new().recursive(true).mode(mode).create(path)
    }

    fn is_link(&self, path: &Path) -> bool {
        fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_symlink())
    }

    fn stamp(&self, path: &Path) -> io::Result<Stamp> {
        let metadata = fs::symlink_metadata(path)?;
        let written = metadata.mtime().saturating_mul(1_000_000_000).saturating_add(metadata.mtime_nsec());
        Ok(Stamp { length: metadata.len(), written })
    }

    fn list(&self, path: &Path) -> io::Result<Vec<String>> {
        let mut names = Vec::new();
        for entry in fs::read_dir(path)? {
            names.push(entry?.file_name().to_string_lossy().into_owned());
        }
        names.sort_unstable();
        Ok(names)
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        OsFile::open(OpenOptions::new().read(true), path)
    }

    fn open_writable(&self, path: &Path) -> io::Result<Arc<dyn DiskFile>> {
        OsFile::open(OpenOptions::new().read(true).write(true), path)
    }

    fn create(&self, path: &Path, mode: u32) -> io::Result<Arc<dyn DiskFile>> {
        let file = OpenOptions::new().read(true).write(true).create_new(true).mode(mode).open(path)?;
        Ok(Arc::new(OsFile(file)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(path)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn FolderLock>> {
        let folder = File::open(path)?;
        match folder.try_lock() {
            Ok(()) => Ok(Box::new(OsLock(folder))),
            Err(TryLockError::WouldBlock) => Err(io::ErrorKind::WouldBlock.into()),
            Err(TryLockError::Error(error)) => Err(error),
        }
    }
}

/// Whether a folder lies on a network file system, where locks and syncs promise less than the ledger needs.
pub fn is_network_file_system(path: &Path) -> io::Result<bool> {
    const NFS: i64 = 0x6969;
    const SMB: i64 = 0x517b;
    const SMB2: i64 = 0xfe53_4d42;
    const CIFS: i64 = 0xff53_4d42;
    const CEPH: i64 = 0x00c3_6400;
    let kind = rustix::fs::statfs(path)?.f_type;
    Ok([NFS, SMB, SMB2, CIFS, CEPH].contains(&(kind as i64 & 0xffff_ffff)))
}
