use std::fs;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use super::super::{CHUNK_BYTES, Content, ReaderId};
use super::*;
use crate::rooms::FileType;

/// How long anything may take on a busy machine. Only a test that fails waits so long.
const DEADLINE: Duration = Duration::from_secs(20);

/// A folder of a test's own, gone with it, with a store in it.
struct Place(PathBuf);

impl Place {
    fn new() -> Place {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("snugd-store-{}-{number}", std::process::id()));
        fs::create_dir(&path).expect("a folder for the test");
        Place(path)
    }

    fn folder(&self) -> PathBuf {
        self.0.join("files")
    }

    fn try_open(&self, kept: &[FileId]) -> Result<Store, String> {
        let (wake, woken) = channel();
        let wake = Arc::new(move || wake.send(()).unwrap_or_default());
        let place = FilesPlace::Folder(self.folder());
        let store = FolderStore::open(&place, None, kept.iter().copied(), wake).map_err(|error| error.to_string())?;
        Ok(Store { store: store.expect("a folder was named"), woken })
    }

    fn open(&self, kept: &[FileId]) -> Store {
        self.try_open(kept).expect("a usable folder")
    }

    fn names(&self) -> Vec<String> {
        let entries = fs::read_dir(self.folder()).expect("a folder");
        let names = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8"));
        let mut names: Vec<String> = names.filter(|name| name != "snugd-lock").collect();
        names.sort();
        names
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

struct Store {
    store: FolderStore,
    woken: Receiver<()>,
}

impl Store {
    /// What is done next; that it wakes for it.
    fn done(&mut self) -> FileDone {
        loop {
            if !self.store.has_done() {
                self.woken.recv_timeout(DEADLINE).expect("it wakes when something is done");
            }
            if let Some(done) = self.store.take_done() {
                return done;
            }
        }
    }

    fn write(&mut self, upload: UploadId, bytes: &[u8]) -> FileDone {
        self.store.submit(FileJob::Write { upload, bytes: bytes.to_vec() });
        self.done()
    }

    fn finish(&mut self, upload: UploadId, id: FileId) -> FileDone {
        self.store.submit(FileJob::Finish { upload, id });
        self.done()
    }

    fn read(&mut self, id: FileId, position: u64, length_bytes: usize) -> Option<Vec<u8>> {
        let reader = ReaderId(7);
        self.store.submit(FileJob::Read { reader, id, position, length_bytes, buffer: Vec::new() });
        match self.done() {
            FileDone::Read { reader: ReaderId(7), bytes } => bytes,
            other => panic!("{other:?}"),
        }
    }
}

fn id(number: u64) -> FileId {
    FileId::parse(&format!("{number:032x}")).expect("an id")
}

const PNG: &[u8] = b"\x89PNG\r\n\x1A\n\0\0\0\x0DIHDR\0\0\0\x04\0\0\0\x03\x08\x02\0\0\0crc!\0\0\0\x02tEXthicrc!\
    \0\0\0\x01IDATxcrc!\0\0\0\0IEND\xAE\x42\x60\x82";

#[test]
fn a_file_arrives_in_pieces_and_is_read_in_pieces() {
    let place = Place::new();
    let mut store = place.open(&[]);
    assert!(!place.folder().exists(), "it is made when it is needed");
    for piece in [&b"one "[..], b"two "] {
        let FileDone::Written { upload: UploadId(1), buffer } = store.write(UploadId(1), piece) else {
            panic!("it is written")
        };
        assert!(buffer.is_empty() && buffer.capacity() > 0, "the buffer can be used again");
    }
    assert_eq!(place.names(), ["1.part"]);
    let content = Content { size_bytes: 8, file_type: FileType::Other, dimensions: None };
    let FileDone::Stored { upload: UploadId(1), content: stored } = store.finish(UploadId(1), id(1)) else {
        panic!("it is stored")
    };
    assert_eq!(stored, content);
    assert_eq!(place.names(), [id(1).to_string()]);
    assert_eq!(store.read(id(1), 0, 100).as_deref(), Some(&b"one two "[..]));
    assert_eq!(store.read(id(1), 4, 3).as_deref(), Some(&b"two"[..]));
    assert_eq!(store.read(id(1), 8, 3).as_deref(), Some(&b""[..]));
    assert_eq!(store.read(id(2), 0, 1), None);
    store.store.submit(FileJob::Remove { id: id(1) });
    assert!(matches!(store.finish(UploadId(2), id(3)), FileDone::Stored { content, .. } if content.size_bytes == 0));
    assert_eq!(place.names(), [id(3).to_string()], "the former is removed, the empty one is a file as well");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
        assert_eq!(mode(&place.folder()), 0o700);
        assert_eq!(mode(&place.folder().join(id(3).to_string())), 0o600);
    }
}

#[test]
fn it_wakes_once_for_all_that_is_done_until_it_is_asked_again() {
    let place = Place::new();
    let mut store = place.open(&[]);
    assert!(!store.store.has_done());
    for upload in 1..=20 {
        store.store.submit(FileJob::Write { upload: UploadId(upload), bytes: b"some".to_vec() });
    }
    let started = Instant::now();
    let mut done = 0;
    while done < 20 {
        assert!(started.elapsed() < DEADLINE, "{done} are done");
        done += usize::from(store.store.take_done().is_some());
        thread::yield_now();
    }
    assert_eq!(store.woken.try_iter().count(), 1);
    assert!(!store.store.has_done(), "all is taken");
    store.store.submit(FileJob::Write { upload: UploadId(1), bytes: b" more".to_vec() });
    store.woken.recv_timeout(DEADLINE).expect("it wakes for the next");
    assert!(store.store.has_done());
}

#[test]
fn a_crowd_reads_each_its_own_and_what_is_removed_leaves_the_disk() {
    let place = Place::new();
    let mut store = place.open(&[]);
    let bytes = |number: u64| (0..3 * CHUNK_BYTES).map(|position| (position as u64 % 241 + number) as u8).collect();
    let files: Vec<Vec<u8>> = (0..4).map(bytes).collect();
    for (number, file) in (0..).zip(&files) {
        file.chunks(CHUNK_BYTES).for_each(|chunk| drop(store.write(UploadId(number), chunk)));
        store.finish(UploadId(number), id(number));
    }
    let mut read = vec![Vec::new(); 20];
    let mut buffer = Vec::new();
    for position in [0, 1, 2, 3].map(|part| part * 50_000) {
        for reader in 0..20 {
            let job = FileJob::Read {
                reader: ReaderId(reader),
                id: id(reader % 4),
                position,
                length_bytes: 50_000,
                buffer: std::mem::take(&mut buffer),
            };
            store.store.submit(job);
            let FileDone::Read { reader, bytes: Some(bytes) } = store.done() else { panic!("it can be read") };
            read[reader.0 as usize].extend_from_slice(&bytes);
            buffer = bytes;
        }
    }
    for (reader, read) in read.iter().enumerate() {
        assert!(*read == files[reader % 4][..read.len()] && read.len() == 3 * CHUNK_BYTES, "{reader}");
    }
    store.store.submit(FileJob::Remove { id: id(3) });
    let started = Instant::now();
    let is_open = || {
        let descriptors = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
        let mut targets = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
        let path = place.folder().join(id(3).to_string());
        targets.any(|target| target.to_string_lossy().starts_with(&*path.to_string_lossy()))
    };
    while is_open() {
        assert!(started.elapsed() < DEADLINE, "it stays on the disk as long as it is open");
        thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_picture_is_written_anew_and_what_is_none_stays_as_it_is() {
    let place = Place::new();
    let mut store = place.open(&[]);
    store.write(UploadId(1), PNG);
    let FileDone::Stored { content, .. } = store.finish(UploadId(1), id(1)) else { panic!("it is stored") };
    assert_eq!((content.size_bytes, content.file_type), (PNG.len() as u64 - 14, FileType::Png));
    assert!(content.dimensions.is_some_and(|dimensions| (dimensions.width, dimensions.height) == (4, 3)));
    let stored = store.read(id(1), 0, 1000).expect("it is there");
    assert!(stored.len() == PNG.len() - 14 && !stored.windows(4).any(|bytes| bytes == b"tEXt"));

    store.write(UploadId(2), &PNG[..50]);
    let FileDone::Stored { content, .. } = store.finish(UploadId(2), id(2)) else { panic!("it is stored") };
    assert_eq!(content, Content { size_bytes: 50, file_type: FileType::Other, dimensions: None });
    assert_eq!(store.read(id(2), 0, 1000).as_deref(), Some(&PNG[..50]));
    assert_eq!(place.names(), [id(1).to_string(), id(2).to_string()], "nothing else is left");
}

#[test]
fn what_is_abandoned_is_gone_and_answered_no_more() {
    let place = Place::new();
    let mut store = place.open(&[]);
    store.write(UploadId(1), b"half a");
    store.store.submit(FileJob::Write { upload: UploadId(1), bytes: b" file".to_vec() });
    store.store.submit(FileJob::Abandon { upload: UploadId(1) });
    store.store.submit(FileJob::Finish { upload: UploadId(2), id: id(2) });
    store.store.submit(FileJob::Abandon { upload: UploadId(2) });
    let done = store.write(UploadId(3), b"another");
    assert!(matches!(done, FileDone::Written { upload: UploadId(3), .. }), "{done:?}");
    assert_eq!(place.names(), ["3.part"]);
    drop(store);
    assert_eq!(place.names(), [""; 0], "what has not arrived is removed at a stop");
}

#[test]
fn what_has_failed_is_told_once_and_leaves_nothing() {
    let place = Place::new();
    let mut store = place.open(&[]);
    store.write(UploadId(1), b"first");
    // Something else has its name.
    fs::create_dir(place.folder().join(id(1).to_string())).expect("a folder in its place");
    let done = store.finish(UploadId(1), id(1));
    assert!(matches!(done, FileDone::Failed { upload: UploadId(1), fault: StoreFault::Failed }), "{done:?}");
    store.store.submit(FileJob::Write { upload: UploadId(1), bytes: b"more".to_vec() });
    store.store.submit(FileJob::Finish { upload: UploadId(1), id: id(3) });
    let done = store.write(UploadId(2), b"another");
    assert!(matches!(done, FileDone::Written { upload: UploadId(2), .. }), "{done:?}");
    assert_eq!(place.names(), [id(1).to_string(), "2.part".to_owned()]);
}

#[test]
fn a_start_removes_what_no_event_names_and_touches_nothing_else() {
    let place = Place::new();
    let mut store = place.open(&[]);
    for number in 1..=3 {
        store.finish(UploadId(number), id(number));
    }
    drop(store);
    let write = |name: &str| fs::write(place.folder().join(name), b"bytes").expect("a file");
    ["4.part", "5.new.part", "film.part", "notes.txt", &"A".repeat(32)].into_iter().for_each(write);
    let folder_of_an_id = "0123456789abcdef0123456789abcdef";
    fs::create_dir(place.folder().join(folder_of_an_id)).expect("somebody's folder");
    let store = place.open(&[id(1), id(3), id(9)]);
    let mut expected = vec![id(1).to_string(), id(3).to_string(), folder_of_an_id.to_owned()];
    expected.extend(["A".repeat(32), "film.part".to_owned(), "notes.txt".to_owned()]);
    assert_eq!(place.names(), expected);
    drop(store);
}

#[test]
fn a_folder_has_one_program() {
    let place = Place::new();
    let mut first = place.open(&[]);
    first.write(UploadId(1), b"makes it");
    let refusal = place.try_open(&[]).err().expect("it is taken");
    assert!(refusal.contains("in use by another program") && refusal.ends_with("with --files."), "{refusal}");
    assert_eq!(place.names(), ["1.part"], "and is not tidied by whoever is refused");
    drop(first);
    place.open(&[]);
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_in_one_sentence() {
    let place = Place::new();
    fs::write(place.folder(), b"a file").expect("a file");
    let refusal = place.try_open(&[]).err().expect("it is no folder");
    assert!(refusal.contains("is a file; name a folder"), "{refusal}");
    fs::remove_file(place.folder()).expect("it was there");
    fs::remove_dir(&place.0).expect("it is empty");
    let refusal = place.try_open(&[]).err().expect("its folder is gone");
    assert!(refusal.contains("There is no folder for"), "{refusal}");
}

#[test]
fn a_temporary_folder_goes_with_the_program_and_what_a_killed_one_left_at_the_next_start() {
    let open = || {
        let (wake, woken) = channel();
        let wake = Arc::new(move || wake.send(()).unwrap_or_default());
        let store = FolderStore::open(&FilesPlace::Temporary, None, std::iter::empty(), wake);
        Store { store: store.expect("a usable folder").expect("a folder"), woken }
    };
    let mut store = open();
    let path = store.store.folder.path_of(id(1)).parent().expect("its folder").to_owned();
    assert!(!path.exists());
    store.finish(UploadId(1), id(1));
    assert!(path.join(id(1).to_string()).exists());
    let mark = fs::read(path.join("snugd-lock")).expect("a lock");
    let left = |name: &str, mark: &[u8]| {
        let left = path.with_file_name(name);
        fs::create_dir(&left).expect("a folder as if left");
        fs::write(left.join("snugd-lock"), mark).expect("its lock");
        fs::write(left.join(id(1).to_string()), b"shared").expect("a file in it");
        left
    };
    let number = std::process::id();
    let marked = left(&format!("snugd-files-{number:08x}"), &mark);
    let unmarked = left(&format!("snugd-files-{:08x}", !number), b"");
    drop(open());
    assert!(!marked.exists() && unmarked.exists(), "only what has the mark is ours");
    assert!(path.join(id(1).to_string()).exists(), "nothing is taken from a program that runs");
    drop(store);
    assert!(!path.exists());
    fs::remove_dir_all(unmarked).expect("it is there");
}

/// A folder that nodes share.
impl Place {
    fn open_shared(&self, node: u64) -> Store {
        let (wake, woken) = channel();
        let wake = Arc::new(move || wake.send(()).unwrap_or_default());
        let store = FolderStore::open_shared(&self.folder(), NodeId(node), wake).expect("a usable folder");
        Store { store, woken }
    }

    fn write(&self, name: &str, age: Duration) {
        let file = fs::File::create(self.folder().join(name)).expect("a file");
        let now = file.metadata().and_then(|found| found.modified()).expect("a time");
        file.set_modified(now - age).expect("it is ours");
    }
}

const OLD: Duration = Duration::from_secs(3 * 60 * 60);
const YOUNG: Duration = Duration::from_secs(30 * 60);

#[test]
fn nodes_share_a_folder_and_what_one_stores_the_others_read() {
    let place = Place::new();
    let (mut first, mut second) = (place.open_shared(1), place.open_shared(0xab));
    assert_eq!(place.names(), ["snugd-node-0000000000000001", "snugd-node-00000000000000ab"]);
    // Each counts its uploads for itself.
    first.write(UploadId(0), b"of the first");
    second.write(UploadId(0), b"of the second");
    first.finish(UploadId(0), id(1));
    second.finish(UploadId(0), id(2));
    assert_eq!(second.read(id(1), 0, 100).as_deref(), Some(&b"of the first"[..]));
    assert_eq!(first.read(id(2), 0, 100).as_deref(), Some(&b"of the second"[..]));
    // Whoever sees first that it is over removes it; for the others it is gone.
    first.store.submit(FileJob::Remove { id: id(2) });
    assert!(matches!(first.write(UploadId(1), b"more"), FileDone::Written { .. }));
    second.store.submit(FileJob::Remove { id: id(2) });
    assert_eq!(second.read(id(2), 0, 100), None);
    // Given up by the others, it comes back under another number.
    second.store.submit(FileJob::LeaveMark { node: NodeId(0xcd) });
    assert!(matches!(second.write(UploadId(1), b"more"), FileDone::Written { .. }));
    let parts = ["0000000000000001-1.part", "00000000000000ab-1.part"];
    let marks = ["snugd-node-0000000000000001", "snugd-node-00000000000000cd"];
    assert_eq!(place.names(), [&id(1).to_string(), parts[0], parts[1], marks[0], marks[1]]);
    drop(second);
    drop(first);
    assert_eq!(place.names(), [id(1).to_string()]);
}

#[test]
fn a_node_removes_only_what_has_been_left_for_long() {
    let place = Place::new();
    let store = place.open_shared(1);
    let (other, gone) = (place.open_shared(2), "snugd-node-0000000000000003");
    let (parts, marks) = (["00000000000000ff-7.part", "4.new.part"], [gone, "snugd-node-0000000000000004"]);
    [&id(1).to_string(), &id(2).to_string(), parts[0], marks[0]].iter().for_each(|name| place.write(name, OLD));
    [&id(3).to_string(), parts[1], marks[1]].iter().for_each(|name| place.write(name, YOUNG));
    place.write("somebody's own", OLD);
    let tidy = |nodes: &[u64]| {
        let nodes: Vec<NodeId> = nodes.iter().copied().map(NodeId).collect();
        store.store.tidy_shared([id(1), id(9)].into_iter(), &nodes).expect("a usable folder");
        place.names()
    };
    let all = place.names();
    let without = |gone: &[&str]| all.iter().filter(|name| !gone.contains(&name.as_str())).cloned().collect::<Vec<_>>();
    // One that runs, and that this log does not know: it may have a log of its own.
    assert_eq!(tidy(&[1]), without(&[gone]), "only a mark that nobody holds");
    assert_eq!(tidy(&[1, 2]), without(&[gone, parts[0], &id(2).to_string()]));
    drop(other);
}

#[test]
fn others_are_seen_by_their_marks() {
    use super::super::nodes::{Mark, Others};
    let place = Place::new();
    let stores = [place.open_shared(1), place.open_shared(2)];
    let own = Mark::in_folder(&place.folder());
    own.leave(NodeId(3)).expect("a usable folder");
    let look = |nodes: &[u64]| {
        let nodes: Vec<NodeId> = nodes.iter().copied().map(NodeId).collect();
        own.look_around(&nodes).expect("a usable folder")
    };
    assert_eq!(look(&[1, 2, 3]), Others::default());
    assert_eq!(look(&[1, 3, 4]), Others { unseen: 1, strangers: 1 });
    drop(stores);
    assert_eq!(look(&[1, 2, 3]), Others { unseen: 2, strangers: 0 });
    own.remove();
    assert_eq!(place.names(), [""; 0]);
}

#[test]
fn a_folder_is_shared_by_nodes_or_has_one_program() {
    let place = Place::new();
    let node = place.open_shared(1);
    let refusal = place.try_open(&[]).err().expect("nodes use it");
    assert!(refusal.contains("in use by another program"), "{refusal}");
    drop(node);
    place.write("snugd-node-0000000000000007", YOUNG);
    let alone = place.open(&[]);
    assert_eq!(place.names(), [""; 0], "no node can have it");
    let refused = FolderStore::open_shared(&place.folder(), NodeId(1), Arc::new(|| ()));
    let refusal = refused.err().expect("one program has it for itself").to_string();
    assert!(refusal.contains("in use by another program"), "{refusal}");
    assert_eq!(place.names(), [""; 0], "and whoever is refused leaves no mark");
    drop(alone);
}
