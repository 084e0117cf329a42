// SPDX-License-Identifier: 0BSD
// Reads a golden case without a crate: rustc --edition 2021 load.rs; ./load CASE.safetensors [NAME]
use std::{env, fs};

/// What stands behind `key`, up to `end`; golden headers have no spaces and no escapes.
fn after<'a>(text: &'a str, key: &str, end: char) -> &'a str {
    let at = text.find(key).unwrap_or_else(|| panic!("the file has no {key}")) + key.len();
    text[at..].split(end).next().unwrap()
}

/// A tensor's numbers; f64 holds all four types exactly.
fn load(file: &[u8], name: &str) -> Vec<f64> {
    let data = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
    let header = std::str::from_utf8(&file[8..data]).unwrap();
    let entry = after(header, &format!("\"{name}\":{{"), '}');
    let offsets = after(entry, "\"data_offsets\":[", ']').split_once(',').unwrap();
    let place = |text: &str| data + text.parse::<usize>().unwrap();
    let bytes = &file[place(offsets.0)..place(offsets.1)];
    let half = |b: &[u8]| u16::from_le_bytes([b[0], b[1]]);
    match after(entry, "\"dtype\":\"", '"') {
        "F64" => bytes.chunks(8).map(|b| f64::from_le_bytes(b.try_into().unwrap())).collect(),
        "F32" => bytes.chunks(4).map(|b| f32::from_le_bytes(b.try_into().unwrap()).into())
            .collect(),
        "BF16" => bytes.chunks(2).map(|b| f32::from_bits((half(b) as u32) << 16).into()).collect(),
        _ => bytes.chunks(2).map(|b| from_f16(half(b))).collect(),
    }
}

fn from_f16(h: u16) -> f64 {
    let sign = if h >> 15 == 1 { -1.0 } else { 1.0 };
    let (exponent, fraction) = ((h >> 10 & 31) as i32, (h & 1023) as f64);
    match exponent {
        0 => sign * fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => sign * f64::INFINITY,
        31 => f64::NAN,
        _ => sign * (1024.0 + fraction) * 2f64.powi(exponent - 25),
    }
}

fn main() {
    let file = fs::read(env::args().nth(1).expect("a golden case")).expect("a file to read");
    let answer = env::args().nth(2).unwrap_or("o".into());
    let text = String::from_utf8_lossy(&file);
    let id = after(&text, "\"case\":\"", '"');
    let (truth, sigma) = (load(&file, &answer), load(&file, &format!("{answer}.sigma")));
    let short = id.rsplit('-').next().unwrap(); // a case's name ends in its type
    let yours = load(&file, &format!("{answer}.{short}")); // your kernel's answer goes here

    let row = truth.len() / sigma.len(); // a sigma for each row
    let (mut most, mut z) = (0f64, 0f64);
    for k in 0..truth.len() {
        let error = (yours[k] - truth[k]).abs();
        if error > 0.0 {
            most = most.max(error);
            z = z.max(error / sigma[k / row]);
        }
    }
    println!("{answer}: {} numbers; largest error {most:e}, {z:e} sigma", truth.len());
}
