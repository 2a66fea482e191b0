//! Images and labels.

use std::fs;
use std::path::Path;

/// Images of one size with their labels.
pub struct Set {
    /// Pixels in [0, 1], image after image, row after row.
    pub images: Vec<f32>,
    /// The digit of each image.
    pub labels: Vec<i32>,
}

impl Set {
    /// Number of images.
    pub fn len(&self) -> usize {
        self.labels.len()
    }

    /// The images and labels of these indices.
    pub fn gather(&self, indices: &[usize]) -> Set {
        let size = self.images.len() / self.len().max(1);
        let image = |&i: &usize| self.images[i * size..(i + 1) * size].iter().copied();
        Set {
            images: indices.iter().flat_map(image).collect(),
            labels: indices.iter().map(|&i| self.labels[i]).collect(),
        }
    }
}

/// What to train with, and what to test on.
pub struct Data {
    pub name: &'static str,
    /// Images are `side` x `side` pixels.
    pub side: usize,
    pub train: Set,
    pub test: Set,
    /// Images per training step.
    pub batch: usize,
    /// Times that training goes over the training set.
    pub epochs: usize,
}

/// UCI's optical digits; see data/README.md.
const DIGITS: &[u8] = include_bytes!("../data/digits.bin");

impl Data {
    /// The images in this repository, a fifth of them to test on.
    pub fn embedded(seed: u64) -> Result<Data, String> {
        let side = 8;
        let record = side * side + 1;
        let (records, rest) = (DIGITS.chunks_exact(record), DIGITS.len() % record);
        if rest != 0 {
            return Err(format!("digits.bin ends with {rest} bytes of a record of {record}"));
        }
        let mut all = Set { images: Vec::new(), labels: Vec::new() };
        for r in records {
            all.images.extend(r[..record - 1].iter().map(|&p| f32::from(p) / 16.0));
            all.labels.push(i32::from(r[record - 1]));
        }
        let mut order: Vec<usize> = (0..all.len()).collect();
        Shuffle(seed).shuffle(&mut order);
        let (test, train) = order.split_at(all.len() / 5 + 1);
        let (train, test) = (all.gather(train), all.gather(test));
        Ok(Data { name: "UCI optical digits, 8 x 8", side, train, test, batch: 32, epochs: 40 })
    }

    /// MNIST's four IDX files in this directory.
    pub fn mnist(dir: &Path) -> Result<Data, String> {
        let set = |name: &str| {
            let (sizes, pixels) = idx::<3>(&dir.join(format!("{name}-images-idx3-ubyte")))?;
            let ([count], labels) = idx::<1>(&dir.join(format!("{name}-labels-idx1-ubyte")))?;
            if sizes != [count, 28, 28] {
                return Err(format!("{name}: {count} labels for images of {sizes:?}"));
            }
            if let Some(bad) = labels.iter().find(|&&l| l > 9) {
                return Err(format!("{name}: a label is {bad}"));
            }
            let images = pixels.iter().map(|&p| f32::from(p) / 255.0).collect();
            Ok(Set { images, labels: labels.into_iter().map(i32::from).collect() })
        };
        let (train, test) = (set("train")?, set("t10k")?);
        Ok(Data { name: "MNIST, 28 x 28", side: 28, train, test, batch: 128, epochs: 8 })
    }
}

/// Sizes and bytes of an IDX file of bytes with `N` dimensions.
fn idx<const N: usize>(path: &Path) -> Result<([usize; N], Vec<u8>), String> {
    let wrong = |what: String| format!("{}: {what}", path.display());
    let bytes = fs::read(path).map_err(|e| wrong(e.to_string()))?;
    let word = |i: usize| bytes.get(4 * i..4 * i + 4).map(|b| u32::from_be_bytes([b[0], b[1], b[2], b[3]]) as usize);
    // Two zeros, 8 for bytes, the number of dimensions.
    if word(0) != Some(0x800 + N) {
        return Err(wrong(format!("no IDX file of bytes with {N} dimensions")));
    }
    let mut sizes = [0; N];
    for (i, size) in sizes.iter_mut().enumerate() {
        *size = word(i + 1).ok_or_else(|| wrong("the header is cut off".into()))?;
    }
    let data = bytes.get(4 + 4 * N..).unwrap_or_default();
    let expected = sizes.iter().try_fold(1usize, |n, &size| n.checked_mul(size));
    if expected != Some(data.len()) {
        return Err(wrong(format!("{} bytes for {sizes:?}", data.len())));
    }
    Ok((sizes, data.to_vec()))
}

/// Reproducible random orders: splitmix64 (Steele et al. 2014) and Fisher and Yates.
pub struct Shuffle(pub u64);

impl Shuffle {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// Brings the items into a random order.
    pub fn shuffle<T>(&mut self, items: &mut [T]) {
        for i in (1..items.len()).rev() {
            let j = (self.next() % (i as u64 + 1)) as usize;
            items.swap(i, j);
        }
    }
}
