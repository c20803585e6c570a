// npm run check:fuzz [-- --seconds=60 --reader=csv --seed=1 --native]: damages what readers read, as long for each as is said, and keeps
// in test/fuzz/corpus what made them do something new. With --native, and clang, libFuzzer does the same with Programs and the
// native engine (native/fuzz, its corpus beside it).

import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Random } from "../src/core/random.ts";
import { CORPUS, hunt } from "../test/fuzz/hunt.ts";
import { makeReaders } from "../test/fuzz/readers.ts";

const option = (name: string) => process.argv.find((a) => a.startsWith(`--${name}=`))?.slice(name.length + 3);
const seconds = Number(option("seconds") ?? 60);
const seed = Number(option("seed") ?? Math.floor(Math.random() * 2 ** 31));
const wanted = option("reader");

if (process.argv.includes("--native")) fuzzPrograms();
else await fuzzReaders();

async function fuzzReaders(): Promise<void> {
  const { readers, close } = await makeReaders();
  console.log(`seed ${seed}`);
  for (const reader of readers) {
    if (wanted !== undefined && reader.name !== wanted) continue;
    const until = performance.now() + seconds * 1000;
    let [kept, wrong] = [0, 0];
    const tried = await hunt(
      reader,
      new Random(seed, 0xf022),
      () => performance.now() > until || wrong >= 5,
      (found) => {
        const sum = createHash("sha256").update(found.input).digest("hex").slice(0, 12);
        const folder = join(CORPUS, reader.name);
        mkdirSync(folder, { recursive: true });
        writeFileSync(join(folder, sum), found.input);
        kept++;
        if (found.wrong === undefined) return;
        wrong++;
        console.log(`FAIL  ${reader.name}: ${join(folder, sum)}: ${found.wrong}`);
      },
    );
    console.log(`${wrong === 0 ? "ok  " : "FAIL"}  ${reader.name}: ${tried} inputs, ${kept} kept`);
    if (wrong > 0) process.exitCode = 1;
  }
  await close();
}

function fuzzPrograms(): void {
  const root = fileURLToPath(new URL("..", import.meta.url));
  const out = join(root, "build", "native-fuzz");
  const corpus = join(root, "native", "fuzz", "corpus");
  const cmake = [
    "-S",
    "native",
    "-B",
    out,
    "-DMYELIN_FUZZ=ON",
    "-DMYELIN_SANITIZE=address",
    "-DCMAKE_BUILD_TYPE=Release",
  ];
  const clang = ["clang++-19", "clang++"].find((name) => spawnSync(name, ["--version"]).status === 0);
  if (clang === undefined) {
    console.log("skip  programs: there is no clang++ here");
    return;
  }
  execFileSync("cmake", [...cmake, `-DCMAKE_CXX_COMPILER=${clang}`], { cwd: root, stdio: "inherit" });
  execFileSync("cmake", ["--build", out, "--target", "program_fuzzer", "--parallel", "2"], {
    cwd: root,
    stdio: "inherit",
  });
  mkdirSync(corpus, { recursive: true });
  // What is found goes to a folder of its own first; only what adds something is taken into the corpus.
  const fresh = join(out, "corpus");
  mkdirSync(fresh, { recursive: true });
  const fuzzer = join(out, "program_fuzzer");
  const env = { ...process.env, ASAN_OPTIONS: "allocator_may_return_null=1:detect_leaks=0" };
  const done = spawnSync(fuzzer, [fresh, corpus, `-max_total_time=${seconds}`, `-seed=${seed}`, "-max_len=4096", "-rss_limit_mb=4096"], { cwd: out, env, stdio: "inherit" }); // biome-ignore format: a command line
  if (done.status !== 0) {
    console.log(`FAIL  programs: the input lies in ${out}`);
    process.exit(1);
  }
  execFileSync(fuzzer, ["-merge=1", "-max_len=4096", corpus, fresh], { cwd: out, env, stdio: "inherit" });
}
