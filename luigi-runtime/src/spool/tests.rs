//! Writer and reader together, on a real directory.

use super::record::tests::decision;
use super::usage::Unavailable;
use super::*;
use rustix::io::Errno;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tempfile::TempDir;

const NOW: Moment = Moment { ms: 1_772_442_000_000 };

fn later(seconds: i64) -> Moment {
    Moment { ms: NOW.ms + seconds * 1000 }
}

fn spool(directory: &Path, limit_bytes: u64) -> Arc<Spool> {
    let config = SpoolConfig { limit_bytes, node: Some("edge-1".to_owned()), ..SpoolConfig::new(directory) };
    Arc::new(Spool::open(&config).unwrap())
}

fn fresh() -> (TempDir, Writer) {
    let directory = TempDir::new().unwrap();
    let writer = Writer::new(&spool(directory.path(), DEFAULT_LIMIT_BYTES));
    (directory, writer)
}

fn append(writer: &mut Writer, worth: Worth, path: &str, now: Moment) -> Result<(), Unavailable> {
    writer.append(worth, &Record::Decision(decision(path)), now)
}

/// What a segment has from a place on: paths of decisions, and the rest as it is shown.
fn read(segment: &mut SegmentReader) -> Vec<String> {
    let mut read = Vec::new();
    loop {
        let next = segment.next().unwrap();
        read.push(match next {
            Next::Record { sequence, record: Record::Decision(decision) } => format!("{sequence} {}", decision.path),
            Next::Record { sequence, record: Record::Lost(lost) } => {
                let LossCounts { allows, would_be_denials, denials, privileged_denials, responses, privileged } = lost.counts;
                format!("{sequence} lost {allows} {would_be_denials} {denials} {privileged_denials} {responses} {privileged}")
            }
            Next::Record { sequence, record: Record::Allowed(allowed) } => format!("{sequence} allowed {}", allowed.count),
            Next::Record { sequence, record: Record::Response(response) } => format!("{sequence} response {}", response.status),
            Next::Damaged { bytes, records } => format!("damaged {bytes} {records:?}"),
            Next::Waiting => "waiting".to_owned(),
            Next::Drained { torn_bytes: 0 } => "drained".to_owned(),
            Next::Drained { torn_bytes } => format!("drained, torn {torn_bytes}"),
        });
        if matches!(next, Next::Waiting | Next::Drained { .. }) {
            return read;
        }
    }
}

/// Everything in a spool, segment by segment.
fn read_all(directory: &Path) -> Vec<String> {
    let reader = SpoolReader::open(directory).unwrap();
    let segments = reader.list().unwrap().segments;
    segments.into_iter().flat_map(|id| read(&mut reader.segment(id).unwrap())).collect()
}

fn only_segment(directory: &Path) -> SegmentId {
    let listing = SpoolReader::open(directory).unwrap().list().unwrap();
    let [id] = listing.segments[..] else { panic!("one segment: {listing:?}") };
    id
}

#[test]
fn a_segment_is_there_with_the_first_record_and_is_waited_for_as_long_as_its_writer_lives() {
    let (directory, mut writer) = fresh();
    writer.tell(NOW);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "nothing before the first record");
    append(&mut writer, Worth::Privileged, "/a", NOW).unwrap();
    let reader = SpoolReader::open(directory.path()).unwrap();
    let id = only_segment(directory.path());
    let mut segment = reader.segment(id).unwrap();
    let header = segment.header();
    assert_eq!((header.id, header.node, header.process, header.thread), (id, "edge-1", std::process::id(), 0));
    assert_eq!(header.started_ms, NOW.ms);
    assert_eq!(read(&mut segment), ["1 /a", "waiting"]);
    let position = segment.position();
    append(&mut writer, Worth::Denial, "/b", NOW).unwrap();
    let response = ResponseRecord { evaluation: [7; 16], at_ms: NOW.ms, status: 502, backend: b"app" };
    writer.append(Worth::Response, &Record::Response(response), NOW).unwrap();
    assert_eq!(read(&mut segment), ["2 /b", "3 response 502", "waiting"]);
    drop(writer);
    assert_eq!(read(&mut segment), ["drained"]);
    segment.seek(position);
    assert_eq!(read(&mut segment), ["2 /b", "3 response 502", "drained"], "from a place that was stored");
    let rights = std::os::unix::fs::PermissionsExt::mode(
        &fs::metadata(directory.path().join(id.file_name())).unwrap().permissions(),
    );
    assert_eq!(rights & 0o7777, 0o640);
    reader.remove(id).unwrap();
    reader.remove(id).unwrap();
    assert_eq!(reader.list().unwrap(), Listing::default());
}

/// The bytes of a segment with three records and where each frame begins, the header's first.
fn three_records() -> (SegmentId, Vec<u8>, Vec<usize>) {
    let (directory, mut writer) = fresh();
    for path in ["/a", "/bb", "/ccc"] {
        append(&mut writer, Worth::Denial, path, NOW).unwrap();
    }
    drop(writer);
    let id = only_segment(directory.path());
    let bytes = fs::read(directory.path().join(id.file_name())).unwrap();
    let mut starts = vec![PREFIX_BYTES];
    while let frame::Found::Frame { payload, .. } = frame::read(&bytes[*starts.last().unwrap()..]) {
        starts.push(starts.last().unwrap() + HEAD_BYTES + payload.len());
    }
    assert_eq!((starts.len(), starts.last()), (5, Some(&bytes.len())));
    (id, bytes, starts)
}

#[test]
fn a_tail_torn_at_any_byte_costs_the_last_record_alone() {
    let (id, bytes, starts) = three_records();
    let directory = TempDir::new().unwrap();
    let file = directory.path().join(id.file_name());
    let reader = SpoolReader::open(directory.path()).unwrap();
    for end in 0..=bytes.len() {
        fs::write(&file, &bytes[..end]).unwrap();
        if end < starts[1] {
            assert!(matches!(reader.segment(id), Err(SegmentError::Empty)), "{end}");
            continue;
        }
        let whole = starts.iter().filter(|start| **start <= end).count() - 2;
        let torn = end - starts[whole + 1];
        let mut expected: Vec<String> =
            ["1 /a", "2 /bb", "3 /ccc"][..whole].iter().map(|text| (*text).to_owned()).collect();
        expected.push(if torn == 0 { "drained".to_owned() } else { format!("drained, torn {torn}") });
        assert_eq!(read(&mut reader.segment(id).unwrap()), expected, "{end}");
        // What a file system leaves that was not unmounted.
        fs::write(&file, [&bytes[..starts[whole + 1]], &vec![0; torn]].concat()).unwrap();
        assert_eq!(read(&mut reader.segment(id).unwrap()), expected, "{end}, zeros");
    }
}

#[test]
fn a_flipped_bit_costs_the_record_it_is_in_and_is_told() {
    let (id, bytes, starts) = three_records();
    let directory = TempDir::new().unwrap();
    let file = directory.path().join(id.file_name());
    let reader = SpoolReader::open(directory.path()).unwrap();
    for bit in starts[1] * 8..bytes.len() * 8 {
        let mut flipped = bytes.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        fs::write(&file, &flipped).unwrap();
        let hit = starts.iter().rposition(|start| bit / 8 >= *start).unwrap() - 1;
        let length = starts[hit + 2] - starts[hit + 1];
        let records = ["1 /a", "2 /bb", "3 /ccc"];
        let found = read(&mut reader.segment(id).unwrap());
        let mut expected: Vec<String> = records[..hit].iter().map(|text| (*text).to_owned()).collect();
        if hit < 2 {
            expected.push(format!("damaged {length} Some(1)"));
            expected.extend(records[hit + 1..].iter().map(|text| (*text).to_owned()));
            expected.push("drained".to_owned());
            assert_eq!(found, expected, "bit {bit}");
        } else {
            // A length that says more than there is looks like a tail that was torn.
            let damaged = [expected.clone(), vec![format!("damaged {length} None"), "drained".to_owned()]].concat();
            let torn = [expected, vec![format!("drained, torn {length}")]].concat();
            assert!(found == damaged || found == torn && bit / 8 < starts[3] + 4, "bit {bit}: {found:?}");
        }
    }
}

#[test]
fn records_that_are_gone_from_the_middle_are_counted() {
    let (id, bytes, starts) = three_records();
    let directory = TempDir::new().unwrap();
    let cut = [&bytes[..starts[1]], &bytes[starts[3]..]].concat();
    fs::write(directory.path().join(id.file_name()), cut).unwrap();
    assert_eq!(read_all(directory.path()), ["damaged 0 Some(2)", "3 /ccc", "drained"]);
    // One that was written again, or is from elsewhere.
    let twice = [&bytes[..starts[2]], &bytes[starts[1]..starts[2]], &bytes[starts[2]..]].concat();
    fs::write(directory.path().join(id.file_name()), twice).unwrap();
    let length = starts[2] - starts[1];
    assert_eq!(
        read_all(directory.path()),
        ["1 /a", &format!("damaged {length} Some(0)"), "2 /bb", "3 /ccc", "drained"]
    );
}

#[test]
fn another_segment_begins_before_one_grows_beyond_its_bounds() {
    let (directory, mut writer) = fresh();
    let path = "/".repeat(MAX_PATH_BYTES);
    let count = 2 * MAX_SEGMENT_BYTES / MAX_PATH_BYTES as u64;
    for n in 0..count {
        append(&mut writer, Worth::Denial, &path, later(i64::try_from(n).unwrap())).unwrap();
    }
    let reader = SpoolReader::open(directory.path()).unwrap();
    let segments = reader.list().unwrap().segments;
    assert_eq!(segments.len(), 3);
    let mut expected = 0;
    let mut records = 0;
    for id in &segments {
        assert!(fs::metadata(directory.path().join(id.file_name())).unwrap().len() <= MAX_SEGMENT_BYTES);
        let mut segment = reader.segment(*id).unwrap();
        assert_eq!(segment.header().writer, reader.segment(segments[0]).unwrap().header().writer);
        assert_eq!(segment.position().sequence, expected + 1, "the numbers go on from segment to segment");
        let end = loop {
            match segment.next().unwrap() {
                Next::Record { sequence, .. } => (expected, records) = (sequence + 1, records + 1),
                end => break end,
            }
        };
        let last = *id == segments[2];
        assert_eq!(end, if last { Next::Waiting } else { Next::Drained { torn_bytes: 0 } });
    }
    assert_eq!(records, count);
}

/// Removes what nobody writes to any more, as whoever drains a spool does.
fn drain(directory: &Path) -> Vec<String> {
    let reader = SpoolReader::open(directory).unwrap();
    let mut drained = Vec::new();
    for id in reader.list().unwrap().segments {
        let records = read(&mut reader.segment(id).unwrap());
        if records.last().is_some_and(|last| last == "drained") {
            drained.extend(records);
            reader.remove(id).unwrap();
        }
    }
    drained.retain(|record| record != "drained");
    drained
}

#[test]
fn what_is_worth_least_is_given_up_first_and_what_was_lost_is_told() {
    let directory = TempDir::new().unwrap();
    let shared = spool(directory.path(), MIN_LIMIT_BYTES);
    let mut writer = Writer::new(&shared);
    let path = "/".repeat(2000);
    let all = [
        Worth::Allow,
        Worth::WouldBeDenial,
        Worth::Denial,
        Worth::PrivilegedDenial,
        Worth::Response,
        Worth::Privileged,
    ];
    let mut taken = 0;
    for worth in all {
        while append(&mut writer, worth, &path, NOW).is_ok() {
            taken += 1;
        }
        let used = shared.status().bytes * 100 / MIN_LIMIT_BYTES;
        assert!((worth.share() - 2..=worth.share()).contains(&used), "{worth:?}: {used} %");
        assert_eq!(append(&mut writer, Worth::Allow, &path, NOW), Err(Unavailable::Full));
    }
    let status = shared.status();
    assert_eq!(status.records, taken + 5, "and the losses that were told between");
    assert_eq!(status.problem.as_deref(), Some("the limit is reached"));
    assert_eq!((status.lost.allows, status.lost.total()), (7, 12));
    let on_disk = fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().metadata().unwrap().len()).sum::<u64>();
    assert_eq!(status.bytes, on_disk);

    // Nobody writes to what is full, so that it can be drained; that there is room is seen in the next second.
    let drained = drain(directory.path());
    assert_eq!(drained.len() as u64, taken + 5);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0);
    assert_eq!(append(&mut writer, Worth::Allow, "/", NOW), Err(Unavailable::Full), "not looked at twice in a second");
    append(&mut writer, Worth::Allow, "/b", later(1)).unwrap();
    let [lost, record, waiting] = &read_all(directory.path())[..] else { panic!("two records") };
    assert!(lost.ends_with(" lost 2 0 0 0 0 1") && record.ends_with(" /b") && waiting == "waiting", "{lost}, {record}");
    assert_eq!(shared.status().problem, None);
}

#[test]
fn threads_let_go_of_what_they_hold_when_room_is_scarce() {
    let directory = TempDir::new().unwrap();
    let shared = spool(directory.path(), MIN_LIMIT_BYTES);
    let (mut idle, mut busy) = (Writer::new(&shared), Writer::new(&shared));
    append(&mut idle, Worth::Privileged, &"/".repeat(2000), NOW).unwrap();
    while append(&mut busy, Worth::PrivilegedDenial, &"/".repeat(2000), NOW).is_ok() {}
    append(&mut busy, Worth::Privileged, &"/".repeat(4000), NOW).unwrap();
    idle.tell(NOW);
    let held = fs::read_dir(&directory).unwrap().count();
    drain(directory.path());
    let [busy_segment] = SpoolReader::open(directory.path()).unwrap().list().unwrap().segments[..] else {
        panic!("one is held")
    };
    assert!(held > 2);
    assert_eq!(SpoolReader::open(directory.path()).unwrap().segment(busy_segment).unwrap().header().thread, 1);
}

#[test]
fn a_segment_that_was_removed_is_not_written_to() {
    let (directory, mut writer) = fresh();
    append(&mut writer, Worth::Denial, "/a", NOW).unwrap();
    fs::remove_file(directory.path().join(only_segment(directory.path()).file_name())).unwrap();
    writer.tell(NOW);
    append(&mut writer, Worth::Denial, "/b", NOW).unwrap();
    assert_eq!(read_all(directory.path()), ["3 /b", "waiting"]);
}

#[test]
fn threads_without_requests_tell_what_they_lost_and_counted() {
    let (directory, mut writer) = fresh();
    for n in 0..60 {
        writer.count_allowed(later(n));
    }
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 0, "a minute is not over");
    writer.tell(later(60));
    writer.tell(later(61));
    assert_eq!(read_all(directory.path()), ["1 allowed 60", "waiting"]);
    writer.count_allowed(later(62));
    drop(writer);
    assert_eq!(read_all(directory.path()), ["1 allowed 60", "2 allowed 1", "drained"]);
}

#[test]
fn a_directory_that_takes_nothing_is_tried_once_a_second() {
    let directory = TempDir::new().unwrap();
    let place = directory.path().join("spool");
    fs::create_dir(&place).unwrap();
    let shared = spool(&place, DEFAULT_LIMIT_BYTES);
    let mut writer = Writer::new(&shared);
    append(&mut writer, Worth::Privileged, "/a", NOW).unwrap();
    let elsewhere = directory.path().join("elsewhere");
    fs::remove_file(place.join(only_segment(&place).file_name())).unwrap();
    fs::remove_dir(&place).unwrap();
    writer.tell(NOW);
    let gone = Err(Unavailable::Failed(Errno::NOENT));
    assert_eq!(append(&mut writer, Worth::Privileged, "/b", NOW), gone);
    assert_eq!(shared.status().problem.as_deref(), Some("No such file or directory (os error 2)"));
    assert_eq!(append(&mut writer, Worth::Privileged, "/c", later(1)), gone);
    assert!(!elsewhere.exists());
    assert_eq!(shared.status().lost, LossCounts { privileged: 2, ..LossCounts::default() });
}

#[test]
fn what_does_not_belong_there_is_set_aside() {
    let (directory, mut writer) = fresh();
    append(&mut writer, Worth::Denial, "/a", NOW).unwrap();
    let real = only_segment(directory.path());
    let at = |name: &str| directory.path().join(name);
    fs::write(at("notes.txt"), "mine").unwrap();
    fs::create_dir(at("folder")).unwrap();
    let linked = SegmentId::from_bytes([1; 16]).file_name();
    std::os::unix::fs::symlink(at(&real.file_name()), at(&linked)).unwrap();
    let renamed = SegmentId::from_bytes([2; 16]);
    fs::copy(at(&real.file_name()), at(&renamed.file_name())).unwrap();
    let newer = SegmentId::from_bytes([3; 16]);
    fs::write(at(&newer.file_name()), b"luigi-sp\x02\0\0\0").unwrap();
    let reader = SpoolReader::open(directory.path()).unwrap();
    let listing = reader.list().unwrap();
    assert_eq!(listing.foreign, [linked.as_str(), "folder", "notes.txt"]);
    assert_eq!(
        listing.segments,
        [real, renamed, newer]
            .iter()
            .copied()
            .collect::<std::collections::BTreeSet<_>>()
            .into_iter()
            .collect::<Vec<_>>()
    );
    assert!(matches!(reader.segment(renamed), Err(SegmentError::Foreign)));
    assert!(matches!(reader.segment(newer), Err(SegmentError::Version(2))));
    for name in &listing.foreign {
        assert_eq!(reader.set_aside(name).unwrap(), *name);
    }
    reader.set_aside(&renamed.file_name().into()).unwrap();
    fs::write(at("notes.txt"), "mine, too").unwrap();
    assert_eq!(reader.set_aside(&"notes.txt".into()).unwrap(), "notes.txt.1");
    assert_eq!(fs::read_to_string(at("set-aside/notes.txt")).unwrap(), "mine");
    assert_eq!(fs::read_to_string(at("set-aside/notes.txt.1")).unwrap(), "mine, too");
    let mut left = vec![real, newer];
    left.sort_unstable();
    assert_eq!(reader.list().unwrap(), Listing { segments: left, foreign: Vec::new() });
}

#[test]
fn what_a_crash_left_of_a_segment_that_was_being_made_goes_after_a_minute() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join(".new-0102030405060708090a0b0c0d0e0f10");
    fs::write(&file, "luigi").unwrap();
    let reader = SpoolReader::open(directory.path()).unwrap();
    assert_eq!(reader.list().unwrap(), Listing::default());
    assert!(file.exists(), "somebody may be making it");
    let old = fs::File::options().write(true).open(&file).unwrap();
    old.set_modified(SystemTime::now() - Duration::from_secs(61)).unwrap();
    rustix::fs::flock(&old, rustix::fs::FlockOperation::LockExclusive).unwrap();
    reader.list().unwrap();
    assert!(file.exists(), "somebody is making it");
    drop(old);
    reader.list().unwrap();
    assert!(!file.exists());
}

#[test]
fn a_fork_writes_to_a_segment_of_its_own() {
    let (directory, mut writer) = fresh();
    append(&mut writer, Worth::Denial, "/parent", NOW).unwrap();
    // SAFETY: the child appends one record, which allocates nothing, and ends without running exit handlers.
    let child = unsafe { libc::fork() };
    if child == 0 {
        let appended = append(&mut writer, Worth::Denial, "/child", later(1));
        // SAFETY: ends the child; nothing is left to clean up.
        unsafe { libc::_exit(i32::from(appended.is_err())) };
    }
    let mut status = 1;
    // SAFETY: `child` is a child of this process that nobody else waits for; `status` is a place for its status.
    assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
    assert_eq!(status, 0);
    append(&mut writer, Worth::Denial, "/parent/again", NOW).unwrap();
    let reader = SpoolReader::open(directory.path()).unwrap();
    let mut segments: Vec<SegmentReader> =
        reader.list().unwrap().segments.into_iter().map(|id| reader.segment(id).unwrap()).collect();
    segments.sort_by_key(|segment| segment.header().process != std::process::id());
    let [parent, child_segment] = &mut segments[..] else { panic!("two segments") };
    assert_eq!(read(parent), ["1 /parent", "2 /parent/again", "waiting"]);
    assert_eq!(child_segment.header().process, child.unsigned_abs());
    assert_eq!(read(child_segment), ["1 /child", "drained"]);
    assert_ne!(parent.header().writer, child_segment.header().writer);
}

#[test]
fn a_spool_that_cannot_be_used_is_refused_as_it_is_opened() {
    let directory = TempDir::new().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let open = |config: SpoolConfig| Spool::open(&config).unwrap_err().to_string();
    let why = open(SpoolConfig::new(directory.path().join("none")));
    assert!(
        why.starts_with("cannot use the spool `") && why.ends_with("No such file or directory (os error 2)"),
        "{why}"
    );
    assert!(open(SpoolConfig::new(&file)).ends_with("Not a directory (os error 20)"));
    let small = SpoolConfig { limit_bytes: MIN_LIMIT_BYTES - 1, ..SpoolConfig::new(directory.path()) };
    assert!(open(small).ends_with("its limit is below 1048576 bytes"));
    let nameless = SpoolConfig { node: Some(String::new()), ..SpoolConfig::new(directory.path()) };
    assert!(open(nameless).ends_with("the name of the node must have 1 to 255 bytes"));
}
