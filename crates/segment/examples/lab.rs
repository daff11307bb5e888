use counterfoil_segment::*; use counterfoil_segment::index::*; use counterfoil_segment::blocks::*;
use counterfoil_tlog::*; use std::sync::Arc;  use std::ops::ControlFlow;
#[derive(Clone,Copy)] struct Instant(u128);
impl Instant { fn now()->Self{ let s=std::fs::read_to_string("/proc/thread-self/schedstat").unwrap(); Instant(s.split(' ').next().unwrap().parse().unwrap()) } fn elapsed(self)->std::time::Duration { std::time::Duration::from_nanos((Instant::now().0-self.0) as u64) } }
fn rss()->f64{ let s=std::fs::read_to_string("/proc/self/status").unwrap(); let l=s.lines().find(|l|l.starts_with("VmHWM")).unwrap(); l.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap()/1024. }
fn main(){
  let mode=std::env::args().nth(2).unwrap_or_default();
  let reps=std::env::args().nth(1).and_then(|a|a.parse().ok()).unwrap_or(3usize);
  if mode=="scan"||mode=="entry" { let d=std::fs::read("/tmp/seglab/w.parquet").unwrap(); let seg=Segment::open(Arc::new(d)).unwrap(); if mode=="scan" {  for _ in 0..reps { let t=Instant::now(); seg.scan(0..seg.meta().count,&mut |_,_|ControlFlow::Continue(())).unwrap(); println!("scan {:.3} M/s", seg.meta().count as f64/t.elapsed().as_secs_f64()/1e6);} } else { for i in 0..1000u64*reps as u64 { seg.entry(i*1307%seg.meta().count).unwrap(); } } return; }
  { let d=[7u8;425]; let t=Instant::now(); for _ in 0..500000 { std::hint::black_box(leaf_hash(std::hint::black_box(&d))); } println!("leaf hash {:.0} ns",t.elapsed().as_nanos() as f64/500000.); }
  let text=std::fs::read_to_string("/tmp/w262144.jsonl").unwrap();
  let mut entries:Vec<Vec<u8>>=vec![]; let mut rec=String::new();
  for (i,l) in text.lines().enumerate(){ if i%1000==0 { let t=l.rfind("\"timestamp\":\"").unwrap(); rec=l[t+13..l.len()-2].to_string(); }
    let p=l.rfind(",\"timestamp\"").unwrap(); let e=format!("{},\"recorded_at\":\"{}\"{}",&l[..p],rec,&l[p..]); let mut f=counterfoil_entry::Fields::split(e.as_bytes()).unwrap(); f.timestamp=f.timestamp; let mut c=vec![]; f.write_canonical(&mut c); entries.push(c); }
  let n=entries.len(); let root=Hash([1;32]);
  let meta=SegmentMeta{format_version:1,origin:"x/y".into(),first:0,count:n as u64,root,before:vec![],after:vec![root;(n as u64).count_ones() as usize],checkpoint:"x".into()};
  println!("rss before {:.0} MB, entries {n}, {:.1} B/entry",rss(), entries.iter().map(|e|e.len()).sum::<usize>() as f64/n as f64);
  if mode=="write" { for _ in 0..reps { write(&meta,&[],&entries).unwrap(); } return; }
  let t=Instant::now(); for _ in 0..reps { for e in &entries { std::hint::black_box(counterfoil_entry::Fields::split(e).unwrap()); } } println!("split {:.0} ns", t.elapsed().as_nanos() as f64/(n*reps) as f64);
  let t=Instant::now(); for _ in 0..reps { let mut b=BatchBuilder::new(); for (i,e) in entries.iter().enumerate() { b.push(i as u64,&counterfoil_entry::Fields::split(e).unwrap()).unwrap(); if b.len()==65536 {b.finish().unwrap();} } } println!("split+batch {:.0} ns", t.elapsed().as_nanos() as f64/(n*reps) as f64);
  let t=Instant::now(); let mut bytes=0; for _ in 0..reps { let mut b=Builder::new(0); for e in entries.iter() { b.push(&counterfoil_entry::Fields::split(e).unwrap()); } bytes=b.finish(&[]).len(); } println!("split+index {:.0} ns, {:.2} B/entry", t.elapsed().as_nanos() as f64/(n*reps) as f64, bytes as f64/n as f64);
  let mut sealed=None;
  for _ in 0..reps { let t=Instant::now(); sealed=Some(write(&meta,&[],&entries).unwrap()); println!("write {:.3} M/s", n as f64/t.elapsed().as_secs_f64()/1e6); }
  let sealed=sealed.unwrap();
  println!("parquet {:.2} B/entry index {:.2} B/entry rss {:.0} MB",sealed.parquet.len() as f64/n as f64,sealed.index.len() as f64/n as f64,rss());
  std::fs::write("/tmp/seglab/w.parquet",&sealed.parquet).unwrap();
  let file:Arc<dyn ReadAt>=Arc::new(sealed.parquet.clone());
  let t=Instant::now(); let seg=Segment::open(file.clone()).unwrap(); println!("open {:.0} us",t.elapsed().as_secs_f64()*1e6);
  let t=Instant::now(); for _ in 0..20 { Segment::open(file.clone()).unwrap(); } println!("open warm {:.0} us",t.elapsed().as_secs_f64()*1e6/20.);
  for g in seg.parquet_metadata().row_groups().iter().take(1) { for c in g.columns() { println!("  {:20} {:8} {:8} bloom {:?} {:?} pages {}", c.column_descr().name(), c.compressed_size(), c.uncompressed_size(), c.bloom_filter_length(), c.page_encoding_stats_mask().map(|m|m.encodings().collect::<Vec<_>>()), seg.parquet_metadata().offset_index().unwrap()[0][seg.parquet_metadata().row_groups()[0].columns().iter().position(|x|x.column_descr().name()==c.column_descr().name()).unwrap()].page_locations.len()); } }
  for _ in 0..reps { let t=Instant::now(); let mut bytes=0; let f=seg.scan(0..n as u64,&mut |_,e|{bytes+=e.len(); ControlFlow::Continue(())}).unwrap(); assert!(f.is_empty()); println!("scan {:.3} M/s {:.0} ns",n as f64/t.elapsed().as_secs_f64()/1e6, t.elapsed().as_nanos() as f64/n as f64); }
  seg.scan(0..n as u64,&mut |i,e|{assert_eq!(e,&entries[i as usize][..]); ControlFlow::Continue(())}).unwrap();
  let t=Instant::now(); for e in &entries { let s=e.iter().position(|b|*b==b':').unwrap(); let _=s; let f=counterfoil_entry::Fields::split(e).unwrap(); for v in [f.context.unwrap(),f.old_value.unwrap(),f.new_value.unwrap()] { counterfoil_entry::canonical::check_value(v.as_bytes()).unwrap(); } } println!("split+check_value {:.0} ns", t.elapsed().as_nanos() as f64/n as f64);
  let hashes=Arc::new(BlockHashes::of(&sealed.parquet));
  let vf:Arc<dyn ReadAt>=Arc::new(VerifiedFile::new(file.clone(),hashes,Arc::new(BlockCache::new(64<<20))).unwrap());
  let t=Instant::now(); let vs=Segment::open(vf).unwrap(); println!("verified open {:.0} us",t.elapsed().as_secs_f64()*1e6);
  let t=Instant::now(); let f=vs.scan(0..n as u64,&mut |_,_|ControlFlow::Continue(())).unwrap(); assert!(f.is_empty()); println!("verified scan {:.3} M/s",n as f64/t.elapsed().as_secs_f64()/1e6);
  let idx=Index::open(Arc::new(sealed.index.clone())).unwrap();
  for (k,v) in [(Key::EntityId,"LOAN-094687"),(Key::EntityId,"INV-000000"),(Key::Actor,"svc-recon-103"),(Key::EntityId,"none")] { let t=Instant::now(); let r=idx.lookup(k,v).unwrap(); println!("lookup {v} {} rows {:.0} us",r.len(),t.elapsed().as_secs_f64()*1e6); }
  { let rows=idx.lookup(Key::EntityId,"INV-001240").unwrap(); println!("rows of INV-001240: {}",rows.len());
    let w=std::time::Instant::now(); let mut got=0; let cache=Arc::new(BlockCache::new(64<<20)); let hashes=Arc::new(BlockHashes::of(&sealed.parquet)); let ih=Arc::new(BlockHashes::of(&sealed.index));
    let files:Vec<_>=(0..38).map(|_|{ let f:Arc<dyn ReadAt>=Arc::new(VerifiedFile::new(file.clone(),hashes.clone(),cache.clone()).unwrap()); let x:Arc<dyn ReadAt>=Arc::new(VerifiedFile::new(Arc::new(sealed.index.clone()),ih.clone(),cache.clone()).unwrap()); (f,x)}).collect();
    println!("hashing {:?}",w.elapsed());
    for round in ["cold","blocks warm"] { let w=std::time::Instant::now(); let mut open=std::time::Duration::ZERO; let mut look=open; got=0; for (i,(f,x)) in files.iter().enumerate() { let a=std::time::Instant::now(); let s=Segment::open(f.clone()).unwrap(); open+=a.elapsed(); let a=std::time::Instant::now(); let ix=Index::open(x.clone()).unwrap(); let r=ix.lookup(Key::EntityId,"INV-001240").unwrap(); look+=a.elapsed(); let r:Vec<u64>=r.iter().skip(i%5).take(2+i%5/4).map(|r|*r as u64).collect(); got+=s.entries(&r).unwrap().len(); } println!("history {round}: {got} rows of 38 segments {:?} (open {open:?} lookup {look:?})",w.elapsed()); }
    let segs:Vec<_>=files.iter().map(|(f,_)|Segment::open(f.clone()).unwrap()).collect(); let w=std::time::Instant::now(); let mut g=0; for (i,s) in segs.iter().enumerate() { let r:Vec<u64>=rows.iter().skip(i%5).take(2+i%5/4).map(|r|*r as u64).collect(); g+=s.entries(&r).unwrap().len(); } println!("history open segments: {g} rows {:?}",w.elapsed()); let _=got; }
  let t=Instant::now(); for i in 0..200u64 { let r=i*1307%n as u64; assert_eq!(seg.entry(r).unwrap(),entries[r as usize]); } println!("entry {:.0} us",t.elapsed().as_secs_f64()*1e6/200.);
}
