use counterfoil_segment::*; use counterfoil_segment::index::*; use counterfoil_tlog::*; use counterfoil_entry::*;
fn main(){
  let text=std::fs::read_to_string("/tmp/seglab/golden.jsonl").unwrap();
  let mut entries:Vec<Vec<u8>>=vec![];
  for (i,l) in text.lines().enumerate(){ let d=Draft::parse(l.as_bytes()).unwrap(); let mut e=vec![]; d.write_entry(Timestamp::from_micros(1_772_323_200_000_000+(i as i64/7)*1_000_001),(i%3==0).then_some("svc-ingest"),&mut e);
    if i%5==0 { let mut f=Fields::split(&e).unwrap(); f.salt=Some([i as u8;16]); let mut o=vec![]; f.write_canonical(&mut o); e=o; } Fields::check(&e).unwrap(); entries.push(e); }
  let mut own=CompactRange::new(LeafIndex(0)); for e in &entries { own.push(leaf_hash(e)); }
  let first=512u64; let n=entries.len() as u64;
  let meta=SegmentMeta{format_version:1,origin:"example.com/ledger".into(),first,count:n,root:own.root().unwrap(),before:vec![Hash([7;32]);first.count_ones() as usize],after:vec![Hash([9;32]);(first+n).count_ones() as usize],checkpoint:String::new()};
  let s=write(&meta,&[SourceState{recorder:None,source:"erp".into(),ranges:vec![(0,41),(43,60)]},SourceState{recorder:Some("svc-ingest".into()),source:"erp".into(),ranges:vec![(0,20)]}],&entries).unwrap();
  std::fs::write("/work/main/testdata/segment/v1.parquet",&s.parquet).unwrap(); std::fs::write("/work/main/testdata/segment/v1.index",&s.index).unwrap();
  let mut j=vec![]; for e in &entries { j.extend_from_slice(e); j.push(b'\n'); } std::fs::write("/work/main/testdata/segment/v1.jsonl",j).unwrap();
  // worked example of index.md
  let page=std::fs::read_to_string("/work/main/docs/formats/segment.md").unwrap(); let b=page.split("```jsonl\n").nth(1).unwrap().split("```").next().unwrap();
  let mut x=Builder::new(0); for l in b.lines() { Fields::check(l.as_bytes()).unwrap(); x.push(&Fields::split(l.as_bytes()).unwrap()); }
  let bytes=x.finish(&[SourceState{recorder:None,source:"erp".into(),ranges:vec![(1,1)]},SourceState{recorder:Some("svc".into()),source:"erp".into(),ranges:vec![(0,0),(2,2)]}]);
  for (i,c) in bytes.chunks(16).enumerate() { println!("{:04x}  {}",i*16,c.iter().map(|b|format!("{b:02x}")).collect::<Vec<_>>().join(" ")); }
}
