// The standard library of Rust at work: collections, iterators, trait objects, formatting, arithmetic of 128
// bits, shared ownership, errors as values, and files under /d. The argument is the number of rounds.
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet, VecDeque};
use std::error::Error;
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufRead, BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::rc::{Rc, Weak};

type Outcome<T> = Result<T, Box<dyn Error>>;

struct Chance(u64);

impl Iterator for Chance {
    type Item = u64;
    fn next(&mut self) -> Option<u64> {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        Some((self.0 >> 33) ^ (self.0 >> 51))
    }
}

// -- Expressions: parsed, printed, evaluated -------------------------------------------------------

#[derive(Clone, Debug, PartialEq)]
enum Expr {
    Number(i64),
    Name(String),
    Binary(Box<Expr>, char, Box<Expr>),
}

#[derive(Debug)]
enum Trouble {
    Unknown(String),
    Zero,
    Unexpected(Option<char>),
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Trouble::Unknown(name) => write!(f, "nothing is called {name:?}"),
            Trouble::Zero => f.write_str("division by zero"),
            Trouble::Unexpected(found) => write!(f, "unexpected {found:?}"),
        }
    }
}

impl Error for Trouble {}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Expr::Number(value) => write!(f, "{value}"),
            Expr::Name(name) => f.write_str(name),
            Expr::Binary(left, op, right) => write!(f, "({left} {op} {right})"),
        }
    }
}

struct Parser<'a>(std::iter::Peekable<std::str::Chars<'a>>);

impl Parser<'_> {
    fn atom(&mut self) -> Result<Expr, Trouble> {
        match self.0.next() {
            Some('(') => {
                let inner = self.sum()?;
                match self.0.next() {
                    Some(')') => Ok(inner),
                    other => Err(Trouble::Unexpected(other)),
                }
            }
            Some(digit) if digit.is_ascii_digit() => {
                let mut text = String::from(digit);
                while let Some(next) = self.0.next_if(char::is_ascii_digit) {
                    text.push(next);
                }
                Ok(Expr::Number(text.parse().expect("digits")))
            }
            Some(letter) if letter.is_alphabetic() => {
                let mut name = letter.to_string();
                while let Some(next) = self.0.next_if(|c| c.is_alphanumeric()) {
                    name.push(next);
                }
                Ok(Expr::Name(name))
            }
            other => Err(Trouble::Unexpected(other)),
        }
    }

    fn chain(&mut self, ops: &str, next: fn(&mut Self) -> Result<Expr, Trouble>) -> Result<Expr, Trouble> {
        let mut left = next(self)?;
        while let Some(op) = self.0.next_if(|c| ops.contains(*c)) {
            left = Expr::Binary(Box::new(left), op, Box::new(next(self)?));
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expr, Trouble> {
        self.chain("*/%", Self::atom)
    }

    fn sum(&mut self) -> Result<Expr, Trouble> {
        self.chain("+-", Self::product)
    }
}

fn evaluate(expr: &Expr, names: &HashMap<String, i64>) -> Result<i64, Trouble> {
    Ok(match expr {
        Expr::Number(value) => *value,
        Expr::Name(name) => *names.get(name).ok_or_else(|| Trouble::Unknown(name.clone()))?,
        Expr::Binary(left, op, right) => {
            let (a, b) = (evaluate(left, names)?, evaluate(right, names)?);
            match op {
                '+' => a.wrapping_add(b),
                '-' => a.wrapping_sub(b),
                '*' => a.wrapping_mul(b),
                '/' => a.checked_div(b).ok_or(Trouble::Zero)?,
                _ => a.checked_rem(b).ok_or(Trouble::Zero)?,
            }
        }
    })
}

fn expressions(round: u64) -> String {
    let names: HashMap<String, i64> =
        [("runde", round as i64), ("größe", 41), ("null", 0)].iter().map(|(k, v)| (k.to_string(), *v)).collect();
    let texts = ["(runde+3)*größe-7/2", "größe%(runde+1)*(runde*runde-9)", "5/(null*runde)", "1+(2", "nix+1"];
    let mut said: Vec<String> = Vec::new();
    for text in texts {
        let parsed = Parser(text.chars().peekable()).sum();
        said.push(match parsed.and_then(|expr| Ok(format!("{expr} = {}", evaluate(&expr, &names)?))) {
            Ok(line) => line,
            Err(trouble) => trouble.to_string(),
        });
    }
    said.join("; ")
}

// -- Trait objects and shared ownership ------------------------------------------------------------

trait Account {
    fn name(&self) -> &str;
    fn post(&mut self, cents: i64);
    fn balance(&self) -> i128;
    fn rate(&self) -> f64 {
        0.0
    }
}

struct Plain {
    name: String,
    postings: Vec<i64>,
}

struct Saving {
    inner: Plain,
    parent: RefCell<Weak<RefCell<Plain>>>,
}

impl Account for Plain {
    fn name(&self) -> &str {
        &self.name
    }
    fn post(&mut self, cents: i64) {
        self.postings.push(cents);
    }
    fn balance(&self) -> i128 {
        self.postings.iter().map(|&cents| i128::from(cents) * 1_000_000_007).sum()
    }
}

impl Account for Saving {
    fn name(&self) -> &str {
        self.inner.name()
    }
    fn post(&mut self, cents: i64) {
        self.inner.post(cents);
        if let Some(parent) = self.parent.borrow().upgrade() {
            parent.borrow_mut().post(cents / 100);
        }
    }
    fn balance(&self) -> i128 {
        self.inner.balance() * 3 / 2
    }
    fn rate(&self) -> f64 {
        1.0 + (self.inner.postings.len() as f64).sqrt() / 7.0
    }
}

fn accounts(chance: &mut Chance) -> String {
    let shared = Rc::new(RefCell::new(Plain { name: "shared".into(), postings: vec![] }));
    let mut all: Vec<Box<dyn Account>> = (0..24)
        .map(|n| -> Box<dyn Account> {
            let inner = Plain { name: format!("acct{n:02}"), postings: vec![] };
            match n % 3 {
                0 => Box::new(inner),
                _ => Box::new(Saving { inner, parent: RefCell::new(Rc::downgrade(&shared)) }),
            }
        })
        .collect();
    for _ in 0..600 {
        let (to, cents) = (chance.next().unwrap() as usize % all.len(), chance.next().unwrap() as i64 % 90001);
        all[to].post(cents - 45000);
    }
    all.sort_by(|a, b| b.balance().cmp(&a.balance()).then_with(|| a.name().cmp(b.name())));
    let rates: f64 = all.iter().map(|account| account.rate()).sum();
    let total: i128 = all.iter().map(|account| account.balance()).sum();
    let shared = shared.borrow();
    format!("{} {} {total:+} {rates:.6} {:e} {:>8}", all[0].name(), all[23].name(), rates / 3e7, shared.postings.len())
}

// -- Graphs, strings, files ------------------------------------------------------------------------

fn shortest(chance: &mut Chance) -> String {
    const NODES: usize = 220;
    let mut edges: BTreeMap<usize, Vec<(usize, u64)>> = BTreeMap::new();
    for from in 0..NODES {
        for _ in 0..4 {
            let (to, weight) = (chance.next().unwrap() as usize % NODES, chance.next().unwrap() % 100 + 1);
            edges.entry(from).or_default().push((to, weight));
        }
    }
    let mut best = vec![u64::MAX; NODES];
    let mut heap = BinaryHeap::from([(std::cmp::Reverse(0), 0)]);
    best[0] = 0;
    while let Some((std::cmp::Reverse(cost), node)) = heap.pop() {
        if cost > best[node] {
            continue;
        }
        for &(to, weight) in &edges[&node] {
            if cost + weight < best[to] {
                best[to] = cost + weight;
                heap.push((std::cmp::Reverse(cost + weight), to));
            }
        }
    }
    let mut queue = VecDeque::from([0]);
    let mut seen = HashSet::from([0]);
    while let Some(node) = queue.pop_front() {
        queue.extend(edges[&node].iter().map(|edge| edge.0).filter(|&to| seen.insert(to)));
    }
    let far = best.iter().filter(|&&cost| cost != u64::MAX).max().unwrap();
    format!("{} reached, farthest {far}, total {}", seen.len(), best.iter().filter(|c| **c != u64::MAX).sum::<u64>())
}

fn words(chance: &mut Chance) -> (String, BTreeMap<String, usize>) {
    let syllables = ["ka", "tö", "mi", "ré", "λο", "un", "si"];
    let text: String = (0..900)
        .map(|n| (0..1 + n % 3).map(|_| syllables[chance.next().unwrap() as usize % 7]).collect::<String>())
        .collect::<Vec<_>>()
        .join(" ");
    let mut counts: HashMap<&str, usize> = HashMap::new(); // its order is random, and moves along
    for word in text.split_whitespace() {
        *counts.entry(word).or_insert(0) += 1;
    }
    let sorted: BTreeMap<String, usize> = counts.iter().map(|(word, count)| (word.to_uppercase(), *count)).collect();
    let most = sorted.iter().max_by_key(|(word, count)| (**count, word.chars().rev().collect::<String>()));
    let chars: BTreeSet<char> = text.chars().filter(|c| !c.is_ascii()).collect();
    (format!("{most:?} of {} bytes, {} chars, {chars:?}", text.len(), text.chars().count()), sorted)
}

fn files(round: u64, counts: &BTreeMap<String, usize>) -> Outcome<String> {
    let path = format!("/d/ledger-{}.txt", round % 3);
    let mut out = BufWriter::new(File::create(&path)?);
    for (word, count) in counts {
        writeln!(out, "{count:>4} {word}")?;
    }
    out.flush()?;
    drop(out);
    let mut log = OpenOptions::new().append(true).create(true).open("/d/log")?;
    writeln!(log, "round {round}: {} words", counts.len())?;
    let mut file = File::open(&path)?;
    let end = file.seek(SeekFrom::End(-8))?;
    let mut tail = Vec::new();
    file.read_to_end(&mut tail)?;
    file.seek(SeekFrom::Start(0))?;
    let lines: io::Result<Vec<String>> = BufReader::new(file).lines().collect();
    let longest = lines?.into_iter().max_by_key(|line| line.len()).ok_or("no lines")?;
    fs::rename(&path, "/d/last")?;
    let mut names: Vec<String> =
        fs::read_dir("/d")?.map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned())).collect::<io::Result<_>>()?;
    names.retain(|name| name.starts_with('l'));
    names.sort();
    let missing = File::open(&path).map(|_| ()).map_err(|error| error.kind());
    let size = fs::metadata("/d/log")?.len();
    Ok(format!("{end} {:?} {longest:?} {names:?} {missing:?} {size}", String::from_utf8_lossy(&tail)))
}

fn main() -> Outcome<()> {
    let rounds: u64 = std::env::args().nth(1).ok_or("rounds?")?.parse()?;
    let mut chance = Chance(7);
    let mut hooks: Vec<Box<dyn Fn(u64) -> u128>> = Vec::new();
    for round in 0..rounds {
        let (said, counts) = words(&mut chance);
        println!("-- {round}: {said}");
        println!("{}", expressions(round));
        println!("{} | {}", accounts(&mut chance), shortest(&mut chance));
        println!("{}", files(round, &counts)?);
        let size = counts.len() as u128;
        hooks.push(Box::new(move |x| (u128::from(x) << 65 | size).wrapping_mul(size.pow(9)) % (1 << 99 | 1)));
        let folded = hooks.iter().rev().take(40).fold(round as u128, |sum, hook| sum ^ hook(sum as u64));
        println!("{folded:#034x} {:?} {:?}", (round as f64).ln(), f32::from_bits(0x3f80_0000 + round as u32));
    }
    fs::remove_file("/d/log")?;
    eprintln!("{rounds} rounds");
    Ok(())
}
