use super::{
    super::{look::list, marker::Changed},
    *,
};

/// The next complete file's name, if there is one before the folder has been looked through once more.
async fn complete(watch: &mut Watch) -> Option<String> {
    loop {
        match watch.next().await {
            News::Complete(path) => {
                return Some(path.file_name().unwrap().to_string_lossy().into_owned());
            }
            News::Scanned => {
                if watch.waiting.files.is_empty() {
                    return None;
                }
            }
            News::Unreadable(error) => panic!("{error}"),
        }
    }
}

#[tokio::test]
async fn more_files_come_in_the_order_in_which_they_were_put_there() {
    let temp = tempfile::tempdir().unwrap();
    let mut watch = Watch::new(temp.path().to_owned(), Duration::ZERO, None);
    for name in ["c.csv", "a.csv", "d.csv", "b.csv"] {
        fs::write(temp.path().join(name), name).unwrap();
        let about = fs::metadata(temp.path().join(name)).unwrap();
        watch.waiting.see(name.as_ref(), Stamp::of(&about), Instant::now());
    }
    let names = |paths: Vec<PathBuf>| -> Vec<String> {
        let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
        paths.iter().map(name).collect()
    };
    let written = |path: &PathBuf| fs::metadata(path).unwrap().modified().unwrap();
    let first = watch.more(3);
    assert!(first.is_sorted_by_key(written), "{first:?}");
    let (first, rest) = (names(first), names(watch.more(3)));
    assert_eq!((first.len(), rest.len()), (3, 1), "no more than are wanted, and none is lost");
    assert!(!first.contains(&rest[0]));
    assert!(watch.more(3).is_empty(), "each is given once");
}

#[tokio::test]
async fn with_markers_a_file_is_complete_when_its_own_is_there() {
    let temp = tempfile::tempdir().unwrap();
    let marker = Marker::new(".done");
    let mut watch = Watch::new(temp.path().to_owned(), Duration::ZERO, Some(marker));
    let put = |name: &str| fs::write(temp.path().join(name), name).unwrap();
    put("a.csv");
    put("b.csv");
    assert_eq!(complete(&mut watch).await, None, "however long they have been still");
    let now = Instant::now();
    assert_eq!(watch.unmarked_for_long(now, |_| true), None, "both may be on their way");
    let told = watch.unmarked_for_long(now + UNMARKED, |_| true).unwrap();
    assert!(told.contains("(2: a.csv)"), "{told}");
    let told = watch.unmarked_for_long(now + UNMARKED, |name| name == "b.csv").unwrap();
    assert!(told.contains("(1: b.csv)"), "nobody reads the other: {told}");
    put("a.csv.done");
    assert_eq!(complete(&mut watch).await.as_deref(), Some("a.csv"), "of its name");
    fs::remove_file(temp.path().join("a.csv")).unwrap();
    put("b.done");
    watch.rescan();
    assert_eq!(complete(&mut watch).await.as_deref(), Some("b.csv"), "of its stem");
    fs::remove_file(temp.path().join("b.csv")).unwrap();
    watch.rescan();
    assert_eq!(complete(&mut watch).await, None, "a marker is no file");
    put("c.csv");
    std::os::unix::fs::symlink(temp.path().join("b.done"), temp.path().join("c.csv.done")).unwrap();
    watch.rescan();
    assert_eq!(complete(&mut watch).await, None, "and a link is no marker");
    fs::remove_file(temp.path().join("c.csv")).unwrap();
    watch.rescan();
    assert_eq!(complete(&mut watch).await, None);
    assert_eq!(
        watch.unmarked_for_long(Instant::now() + UNMARKED, |_| true),
        None,
        "none waits for one"
    );
}

#[tokio::test]
async fn a_marker_that_was_there_before_its_file_says_nothing_of_it() {
    let temp = tempfile::tempdir().unwrap();
    let path = |name: &str| temp.path().join(name);
    let settle = Duration::from_hours(1);
    let mut watch = Watch::new(temp.path().to_owned(), settle, Some(Marker::new(".done")));
    fs::write(path("a.csv.done"), "").unwrap();
    let marked = Changed::of(&fs::metadata(path("a.csv.done")).unwrap());
    fs::write(path("a.csv"), "id\n").unwrap();
    // A file system may tell no shorter times apart than some milliseconds.
    while Changed::of(&fs::metadata(path("a.csv")).unwrap()) <= marked {
        fs::write(path("a.csv"), "id\n1\n").unwrap();
    }
    assert!(matches!(watch.next().await, News::Scanned));
    let complete_at = watch.waiting.next_at().unwrap();
    assert!(complete_at > Instant::now() + settle / 2, "it waits until it is still");
    while Changed::of(&fs::metadata(path("a.csv.done")).unwrap())
        < Changed::of(&fs::metadata(path("a.csv")).unwrap())
    {
        fs::write(path("a.csv.done"), "now").unwrap();
    }
    watch.rescan();
    assert_eq!(complete(&mut watch).await.as_deref(), Some("a.csv"), "put there behind it");
}

#[tokio::test]
async fn a_change_that_nobody_told_of_is_seen_before_the_file_is_taken() {
    let temp = tempfile::tempdir().unwrap();
    let path = temp.path().join("a.csv");
    fs::write(&path, "one").unwrap();
    let mut watch = Watch::new(temp.path().to_owned(), Duration::ZERO, None);
    let (now, old) = (Instant::now(), Stamp::of(&fs::metadata(&path).unwrap()));
    watch.waiting.see("a.csv".as_ref(), old, now);
    watch.waiting.see("gone.csv".as_ref(), old, now);
    fs::write(&path, "one and two").unwrap();
    assert!(watch.is_any_complete(now), "they had been still for long enough");
    assert!(watch.ready.is_empty(), "and one of them no longer is as it was");
    assert!(watch.waiting.files.contains_key(OsStr::new("a.csv")), "so it waits anew");
    assert!(watch.is_any_complete(now) && watch.ready == [path]);
}

#[tokio::test]
async fn another_folder_in_the_same_place_is_watched_in_its_stead() {
    let temp = tempfile::tempdir().unwrap();
    let folder = temp.path().join("in");
    fs::create_dir(&folder).unwrap();
    let mut watch = Watch::new(folder.clone(), Duration::ZERO, None);
    assert!(matches!(watch.next().await, News::Scanned));
    fs::rename(&folder, temp.path().join("away")).unwrap();
    fs::create_dir(&folder).unwrap();
    watch.rescan();
    assert!(matches!(watch.next().await, News::Scanned));
    assert!(matches!(watch.next().await, News::Scanned), "at once, behind the new watch");
    fs::write(folder.join("a.csv"), "x").unwrap();
    let told = timeout(SCAN / 2, watch.next()).await;
    assert!(matches!(told, Ok(News::Complete(_))), "it is told of, and not found by a scan");
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_hangs_is_told_of_and_waited_for() {
    let temp = tempfile::tempdir().unwrap();
    let mut watch = Watch::new(temp.path().to_owned(), Duration::ZERO, None);
    let (answer, hung) = tokio::sync::oneshot::channel();
    watch.looking = Some(tokio::spawn(async { hung.await.unwrap() }));
    for _ in 0..2 {
        let News::Unreadable(error) = watch.next().await else { panic!("it did not answer") };
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }
    fs::write(temp.path().join("a.csv"), "x").unwrap();
    let listed = list(temp.path()).unwrap();
    assert!(answer.send(Ok(Looked { watcher: None, listed })).is_ok(), "it is still waited for");
    assert!(matches!(watch.next().await, News::Scanned));
    assert!(matches!(watch.next().await, News::Complete(_)));
}
