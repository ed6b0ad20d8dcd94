//! One safetensors file: its header, and its tensors as f32.

use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};

use half::{bf16, f16};
use safetensors::Dtype;
use safetensors::tensor::{Metadata, TensorInfo};

use crate::engine::error::{Error, Result};

/// Headers above this are refused, as the safetensors library itself does.
const HEADER_LIMIT_BYTES: u64 = 100_000_000;
/// Size of the length that starts the file.
const LENGTH_BYTES: u64 = 8;
/// Weights are read and widened in pieces of this size; a multiple of every dtype's size.
const PIECE_BYTES: usize = 1 << 20;

/// An open safetensors file.
#[derive(Debug)]
pub(super) struct Shard {
    path: PathBuf,
    file: File,
    header: Metadata,
    /// Offset of the first tensor in the file.
    data_start: u64,
}

impl Shard {
    /// Opens a file and checks that its header is well-formed and that the file is exactly as long as it says.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let read_error = |source| Error::Read { what: "weights", path: path.to_owned(), source };
        let malformed = |found: String| Error::MalformedSafetensors { path: path.to_owned(), found };
        let mut file = File::open(path).map_err(read_error)?;
        let file_bytes = file.metadata().map_err(read_error)?.len();
        if file_bytes < LENGTH_BYTES {
            return Err(malformed(format!("{file_bytes} bytes are too few for a header")));
        }
        let mut length = [0; LENGTH_BYTES as usize];
        file.read_exact(&mut length).map_err(read_error)?;
        let header_bytes = u64::from_le_bytes(length);
        if header_bytes > HEADER_LIMIT_BYTES || header_bytes > file_bytes - LENGTH_BYTES {
            return Err(malformed(format!("a header of {header_bytes} bytes in a file of {file_bytes}")));
        }
        let mut text = vec![0; usize::try_from(header_bytes).map_err(|error| malformed(error.to_string()))?];
        file.read_exact(&mut text).map_err(read_error)?;
        let header: Metadata =
            serde_json::from_slice(&text).map_err(|error| malformed(format!("its header is invalid: {error}")))?;
        let data_start = LENGTH_BYTES + header_bytes;
        let expected_bytes = data_start.checked_add(header.data_len() as u64);
        if expected_bytes != Some(file_bytes) {
            return Err(malformed(format!(
                "its header describes {} bytes of tensors, the file holds {}",
                header.data_len(),
                file_bytes - data_start
            )));
        }
        Ok(Self { path: path.to_owned(), file, header, data_start })
    }

    /// Names of the tensors in this file, in the order of their data.
    pub(super) fn names(&self) -> Vec<String> {
        self.header.offset_keys()
    }

    pub(super) fn info(&self, name: &str) -> Option<&TensorInfo> {
        self.header.info(name)
    }

    /// Reads one tensor as f32, row-major. `on_bytes` hears of every piece that was read.
    pub(super) fn read_f32(&mut self, name: &str, on_bytes: &mut dyn FnMut(u64)) -> Result<Vec<f32>> {
        let Some(info) = self.header.info(name) else {
            let found = format!("it has no tensor `{name}`");
            return Err(Error::MalformedSafetensors { path: self.path.clone(), found });
        };
        let widen = widening(info.dtype)
            .ok_or_else(|| Error::TensorDtype { name: name.to_owned(), found: info.dtype.to_string() })?;
        let (begin, end) = info.data_offsets;
        let mut left_bytes = end - begin;
        let mut values = Vec::with_capacity(info.shape.iter().product());
        let path = self.path.clone();
        let read_error = |source| Error::Read { what: "weights", path: path.clone(), source };
        self.file.seek(SeekFrom::Start(self.data_start + begin as u64)).map_err(read_error)?;
        let mut piece = vec![0; PIECE_BYTES.min(left_bytes)];
        while left_bytes > 0 {
            let take_bytes = piece.len().min(left_bytes);
            let (part, _) = piece.split_at_mut(take_bytes);
            self.file.read_exact(part).map_err(read_error)?;
            widen(part, &mut values);
            left_bytes -= take_bytes;
            on_bytes(take_bytes as u64);
        }
        Ok(values)
    }
}

/// Whether the engine reads tensors of this dtype.
pub(super) fn is_readable(dtype: Dtype) -> bool {
    widening(dtype).is_some()
}

/// Appends little-endian numbers of one dtype, as f32. Both half formats widen exactly.
type Widen = fn(&[u8], &mut Vec<f32>);

fn widening(dtype: Dtype) -> Option<Widen> {
    match dtype {
        Dtype::F32 => Some(|bytes, values| {
            let (numbers, _) = bytes.as_chunks::<4>();
            values.extend(numbers.iter().map(|&number| f32::from_le_bytes(number)));
        }),
        Dtype::F16 => Some(|bytes, values| {
            let (numbers, _) = bytes.as_chunks::<2>();
            values.extend(numbers.iter().map(|&number| f16::from_le_bytes(number).to_f32()));
        }),
        Dtype::BF16 => Some(|bytes, values| {
            let (numbers, _) = bytes.as_chunks::<2>();
            values.extend(numbers.iter().map(|&number| bf16::from_le_bytes(number).to_f32()));
        }),
        _ => None,
    }
}
