//! Tables to measure with, the same bytes on every machine: `bench_data OBJECT ROWS DAY MODE RATE OUT.csv`.
//!
//! OBJECT is Account (60 columns), Contact (80) or Wide (500); MODE `full`, `shuffled` (the same rows in another order),
//! `incr` (rows that changed on that day; deleted Ids in OUT.csv.deleted) or `schema` (the object's schema as JSON);
//! RATE is the share that changes per day. About 40 % of the cells are filled. tests/bench/vault.sh knows the digests.
// Written for speed of making, and read by nobody: a tool, whose panics are its errors.
#![allow(clippy::all, clippy::pedantic, clippy::unwrap_used, clippy::panic, missing_docs, unreachable_pub)]

use std::io::Write;
mod schema;
use schema::*;
#[inline]
fn mix(a: u64, b: u64) -> u64 {
    let r = (a ^ 0x9E3779B97F4A7C15) as u128 * (b ^ 0xD1B54A32D192ED03) as u128;
    let x = (r as u64) ^ (r >> 64) as u64;
    x ^ (x >> 29)
}
struct R(u64);
impl R {
    #[inline]
    fn n(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E3779B97F4A7C15);
        let r = self.0 as u128 * 0xA0761D6478BD642Fu128;
        ((r as u64) ^ (r >> 64) as u64).wrapping_mul(0xE7037ED1A0B428DB).rotate_left(31)
    }
    #[inline]
    fn below(&mut self, n: u64) -> u64 {
        ((self.n() as u128 * n as u128) >> 64) as u64
    }
    #[inline]
    fn f(&mut self) -> f64 {
        (self.n() >> 11) as f64 / (1u64 << 53) as f64
    }
}
struct G {
    words: Vec<String>,
    names: Vec<String>,
    cities: Vec<String>,
}
impl G {
    fn new() -> G {
        let syl = [
            "ba", "ne", "ri", "to", "ka", "lu", "mar", "den", "sel", "vor", "qui", "an", "er", "ing", "tion",
            "con", "pre", "mi", "so", "ex", "ham", "berg", "ton", "ley", "ski", "ov", "el", "is", "ur", "ad",
        ];
        let mut r = R(7);
        let mut mk = |n: usize, k: u64| -> Vec<String> {
            (0..n)
                .map(|_| {
                    let mut s = String::new();
                    for _ in 0..1 + r.below(k) {
                        s.push_str(syl[r.below(30) as usize])
                    }
                    s
                })
                .collect()
        };
        let words = mk(4000, 4);
        let cap = |v: Vec<String>| {
            v.into_iter()
                .map(|s| {
                    let mut c = s.chars();
                    c.next().unwrap().to_uppercase().collect::<String>() + c.as_str()
                })
                .collect()
        };
        G { words, names: cap(mk(6000, 3)), cities: cap(mk(900, 3)) }
    }
    fn zipf<'a>(&self, v: &'a [String], r: &mut R) -> &'a str {
        let u = r.f();
        &v[((u * u * u) * v.len() as f64) as usize]
    }
}
fn ts(o: &mut Vec<u8>, secs: i64, ms: u32) {
    let d = secs.div_euclid(86400);
    let s = secs.rem_euclid(86400);
    date(o, d);
    write!(o, "T{:02}:{:02}:{:02}.{:03}Z", s / 3600, s / 60 % 60, s % 60, ms).unwrap()
}
fn date(o: &mut Vec<u8>, d: i64) {
    let z = d + 719468;
    let era = z.div_euclid(146097);
    let doe = z.rem_euclid(146097);
    let yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
    let doy = doe - (365 * yoe + yoe / 4 - yoe / 100);
    let mp = (5 * doy + 2) / 153;
    let dd = doy - (153 * mp + 2) / 5 + 1;
    let m = if mp < 10 { mp + 3 } else { mp - 9 };
    let y = yoe + era * 400 + if m <= 2 { 1 } else { 0 };
    write!(o, "{:04}-{:02}-{:02}", y, m, dd).unwrap()
}
fn changed(row: u64, rows: u64, day: u64, rate: f64) -> bool {
    // half of the changes in the newest 10 %
    let r = if row * 10 >= rows * 9 { rate * 5.0 } else { rate * 0.5556 };
    (mix(row, day * 7919 + 13) >> 11) as f64 / (1u64 << 53) as f64 <= r
}
fn deleted_on(row: u64, upto: u64, rate: f64) -> Option<u64> {
    let h = mix(row, 0xDE1E7E);
    let d = h % 365 + 1;
    if d <= upto && ((h >> 20) as f64 / (1u64 << 44) as f64) < rate * 36.5 { Some(d) } else { None }
} // ~10 % of the change rate are deletes
fn main() {
    let a: Vec<String> = std::env::args().collect();
    let (obj, rows, day, mode, rate, out) = (
        &a[1],
        a[2].parse::<u64>().unwrap(),
        a[3].parse::<u64>().unwrap(),
        &a[4],
        a[5].parse::<f64>().unwrap(),
        &a[6],
    );
    let (cols, prefix) = spec(obj);
    if mode == "schema" {
        return std::fs::write(out, schema_json(obj, prefix, &cols)).unwrap();
    }
    let g = G::new();
    let mut w = std::io::BufWriter::with_capacity(1 << 22, std::fs::File::create(out).unwrap());
    let mut buf = Vec::with_capacity(1 << 16);
    for (i, c) in cols.iter().enumerate() {
        if i > 0 {
            buf.push(b',')
        }
        write!(buf, "\"{}\"", c.name).unwrap()
    }
    buf.push(b'\n');
    w.write_all(&buf).unwrap();
    let newper = (rows as f64 * rate * 0.2) as u64; // 20 % of the change rate are new rows
    let total = rows + newper * day;
    let mut order: Vec<u32> = (0..total as u32).collect();
    if mode == "shuffled" || mode == "incr" {
        let mut r = R(99 + day);
        for i in (1..order.len()).rev() {
            let j = r.below(i as u64 + 1) as usize;
            order.swap(i, j)
        }
    }
    let mut del = if mode == "incr" {
        Some(std::io::BufWriter::new(std::fs::File::create(format!("{out}.deleted")).unwrap()))
    } else {
        None
    };
    let (mut nrows, mut ndel) = (0u64, 0u64);
    for &ri in &order {
        let row = ri as u64;
        let dd = deleted_on(row, day, rate);
        let mut id = [0u8; 18];
        id18(prefix, row * 2 + row / 3, &mut id);
        if let Some(d) = dd {
            if let Some(f) = &mut del {
                if d == day && row < rows {
                    ndel += 1;
                    f.write_all(&id).unwrap();
                    f.write_all(b"\n").unwrap()
                }
            }
            continue;
        }
        let born = if row < rows { 0 } else { (row - rows) / newper.max(1) + 1 };
        let mut last = born;
        let mut days = [0u64; 64];
        let mut nd = 0;
        for d in born + 1..=day {
            if changed(row, rows, d, rate) {
                last = d;
                days[nd] = d;
                nd += 1;
            }
        }
        if mode == "incr" && last != day {
            continue;
        }
        nrows += 1;
        buf.clear();
        for (ci, c) in cols.iter().enumerate() {
            if ci > 0 {
                buf.push(b',')
            }
            buf.push(b'"');
            let cver = days[..nd]
                .iter()
                .rev()
                .find(|&&d| {
                    let h = mix(row, d * 31 + 5);
                    (0..3).any(|k| (h >> (k * 16)) as usize % cols.len() == ci)
                })
                .copied()
                .unwrap_or(0);
            let mut r = R(mix(row * 131 + cver * 1_000_003, ci as u64 + 17));
            let cs = mix(ci as u64, 0xC01);
            match (c.name.as_str(), c.t) {
                (_, T::Id) => buf.extend_from_slice(&id),
                ("IsDeleted", _) => buf.extend_from_slice(b"false"),
                ("CreatedDate", _) => ts(&mut buf, 1_400_000_000 + (row as i64) * 60 % 380_000_000, 0),
                ("LastModifiedDate" | "SystemModstamp", _) => {
                    let base = 1_400_000_000 + (row as i64) * 60 % 380_000_000;
                    let mut rr = R(mix(row, 42 + last));
                    let s = if last == 0 {
                        base + rr.below(20_000_000) as i64
                    } else {
                        1_800_000_000 + last as i64 * 86400 + rr.below(86400) as i64
                    };
                    ts(&mut buf, s, 0)
                }
                _ if r.f() >= c.fill => {}
                (_, T::Bool) => buf.extend_from_slice(if r.below(10) == 0 { b"true" } else { b"false" }),
                (_, T::Ref) => {
                    let mut x = [0u8; 18];
                    if c.card > 0 {
                        let u = r.f();
                        id18("005", (u * u * c.card as f64) as u64 * 3, &mut x)
                    } else {
                        let q = r.below(rows);
                        id18("001", q * 2 + q / 3, &mut x)
                    }
                    buf.extend_from_slice(&x)
                }
                (_, T::Str) => {
                    if c.card > 0 {
                        let u = r.f();
                        let k = (u * u * c.card as f64) as u64;
                        let mut q = R(mix(k, cs));
                        write!(buf, "{} {}", g.words[q.below(4000) as usize], g.words[q.below(4000) as usize])
                            .unwrap()
                    } else {
                        let k = r.below(900_000_000);
                        write!(buf, "{}-{:09}", &g.words[(cs % 4000) as usize], k).unwrap()
                    }
                }
                (_, T::Pick) => {
                    let u = r.f();
                    let k = (u * u * c.card as f64) as u64;
                    let mut q = R(mix(k, cs));
                    buf.extend_from_slice(g.words[q.below(4000) as usize].as_bytes());
                    if q.below(2) == 0 {
                        buf.push(b' ');
                        buf.extend_from_slice(g.words[q.below(4000) as usize].as_bytes())
                    }
                }
                (_, T::Int) => write!(buf, "{}", (r.f().powi(4) * 50000.) as u64).unwrap(),
                (_, T::Dec(_, s)) => {
                    if s == 1 {
                        write!(buf, "{:.1}", r.below(1000) as f64 / 10.0).unwrap()
                    } else {
                        let v = (r.f().powi(6) * 1e9) as u64;
                        let q = r.below(4);
                        if q == 0 {
                            write!(buf, "{}.{:02}", v, r.below(100)).unwrap()
                        } else {
                            write!(buf, "{}.0", v / 100 * 100).unwrap()
                        }
                    }
                }
                (_, T::LatLon) => write!(buf, "{:.6}", r.f() * 180. - 90.).unwrap(),
                (_, T::Date) => date(&mut buf, 15000 + r.below(5000) as i64),
                (_, T::Ts) => ts(&mut buf, 1_500_000_000 + r.below(250_000_000) as i64, 0),
                (_, T::Email) => {
                    let a = g.zipf(&g.names, &mut r).to_lowercase();
                    let b = g.zipf(&g.names, &mut r).to_lowercase();
                    write!(buf, "{}.{}{}@{}.example", a, b, r.below(100), g.zipf(&g.words, &mut r)).unwrap()
                }
                (_, T::Phone) => {
                    write!(buf, "({:03}) {:03}-{:04}", 200 + r.below(300), r.below(1000), r.below(10000))
                        .unwrap()
                }
                (_, T::Url) => write!(
                    buf,
                    "https://www.{}{}.example",
                    g.zipf(&g.words, &mut r),
                    g.zipf(&g.words, &mut r)
                )
                .unwrap(),
                (_, T::Name) => {
                    write!(buf, "{} {}", g.zipf(&g.names, &mut r), g.zipf(&g.names, &mut r)).unwrap()
                }
                (_, T::Street) => write!(
                    buf,
                    "{} {} {}",
                    1 + r.below(4000),
                    g.zipf(&g.names, &mut r),
                    ["St", "Ave", "Rd", "Blvd"][r.below(4) as usize]
                )
                .unwrap(),
                (_, T::City) => buf.extend_from_slice(g.zipf(&g.cities, &mut r).as_bytes()),
                (_, T::Zip) => write!(buf, "{:05}", r.below(40000)).unwrap(),
                (_, T::Long) => {
                    let n = 8 + (r.f().powi(5) * 600.) as u64;
                    for k in 0..n {
                        if k > 0 {
                            buf.push(b' ')
                        }
                        buf.extend_from_slice(g.zipf(&g.words, &mut r).as_bytes());
                        match r.below(40) {
                            0 => buf.push(b'\n'),
                            1 => buf.extend_from_slice(b", \"\"quoted\"\""),
                            _ => {}
                        }
                    }
                }
            }
            buf.push(b'"');
        }
        buf.push(b'\n');
        w.write_all(&buf).unwrap();
    }
    w.flush().unwrap();
    if let Some(mut f) = del {
        f.flush().unwrap()
    }
    eprintln!("{obj} day={day} mode={mode} rows={nrows} deletes={ndel}");
}
