//! Published data sets known by name: their classes, file hashes and mirrors.

/// A data set published as four IDX files.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Published {
    /// Name as typed after `--data`.
    pub(crate) name: &'static str,
    /// Name as written in prose.
    pub(crate) title: &'static str,
    pub(crate) classes: [&'static str; 10],
    /// Bytes and SHA-256 of the unpacked files, in the order of `folder::NAMES`.
    pub(crate) files: [Checksum; 4],
    /// Base URLs of the files, under their usual names with `.gz`.
    pub(crate) mirrors: [&'static str; 2],
    /// Folder that a package of the operating system installs it in.
    pub(crate) package: Option<&'static str>,
}

/// Length and SHA-256 of a file's unpacked content.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Checksum {
    pub(crate) bytes: u64,
    pub(crate) sha256: &'static str,
}

/// Header and pixels of 60,000 and 10,000 images of 28 x 28, header and labels of as many.
const BYTES: [u64; 4] = [47_040_016, 60_008, 7_840_016, 10_008];

const fn checksums(hashes: [&'static str; 4]) -> [Checksum; 4] {
    let [a, b, c, d] = hashes;
    [
        Checksum { bytes: BYTES[0], sha256: a },
        Checksum { bytes: BYTES[1], sha256: b },
        Checksum { bytes: BYTES[2], sha256: c },
        Checksum { bytes: BYTES[3], sha256: d },
    ]
}

/// LeCun, Cortes and Burges, "The MNIST database of handwritten digits".
pub(crate) static MNIST: Published = Published {
    name: "mnist",
    title: "MNIST",
    classes: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
    files: checksums([
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    ]),
    mirrors: [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ],
    package: None,
};

/// Xiao, Rasul and Vollgraf, "Fashion-MNIST", 2017 (arXiv 1708.07747); Debian's package `dataset-fashion-mnist`.
pub(crate) static FASHION_MNIST: Published = Published {
    name: "fashion-mnist",
    title: "Fashion-MNIST",
    classes: [
        "T-shirt/top",
        "trouser",
        "pullover",
        "dress",
        "coat",
        "sandal",
        "shirt",
        "sneaker",
        "bag",
        "ankle boot",
    ],
    files: checksums([
        "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    ]),
    mirrors: [
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
    ],
    package: Some("/usr/share/datasets/fashion-mnist"),
};

/// All published data sets.
pub(crate) static ALL: [&Published; 2] = [&MNIST, &FASHION_MNIST];

/// Returns the data set with this name.
pub(crate) fn by_name(name: &str) -> Option<&'static Published> {
    ALL.into_iter().find(|published| published.name == name)
}
