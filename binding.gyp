# Builds the addon that is published; native/CMakeLists.txt builds the same sources with their tests.
# No flag here names a CPU: the files of native/kernels/ open their own level, and one is chosen at load.
{
  "variables": {
    # address, undefined or thread, as the compiler's -fsanitize takes them; scripts/build-native.mjs --sanitize sets it.
    "myelin_sanitize%": "",
    # A folder of stand-ins for an older C library to link with; scripts/prebuild.mjs makes and sets it.
    "myelin_old_glibc%": "",
  },
  "target_defaults": {
    "include_dirs": ["native"],
    # Node's own defaults that do not fit: an older standard, no exceptions.
    "cflags_cc!": ["-fno-exceptions", "-fno-rtti", "-std=gnu++14", "-std=gnu++17", "-std=gnu++20"],
    "cflags_cc": [
      "-std=c++20",
      "-fvisibility=hidden",
      # A multiply and an add fuse only where fma() is written: levels and engines must agree on what is rounded.
      "-ffp-contract=off",
      "-fno-math-errno",
      "-Wall",
      "-Wextra",
    ],
    "xcode_settings": {
      "CLANG_CXX_LANGUAGE_STANDARD": "c++20",
      "GCC_ENABLE_CPP_EXCEPTIONS": "YES",
      "GCC_ENABLE_CPP_RTTI": "YES",
      "GCC_SYMBOLS_PRIVATE_EXTERN": "YES",
      "GCC_OPTIMIZATION_LEVEL": "3",
      "MACOSX_DEPLOYMENT_TARGET": "11.0",
      "OTHER_CPLUSPLUSFLAGS": ["-ffp-contract=off", "-fno-math-errno"],
    },
    "msvs_settings": {
      "VCCLCompilerTool": {
        "ExceptionHandling": 1,
        "RuntimeTypeInfo": "true",
        "AdditionalOptions": ["/std:c++20", "/fp:precise", "-ffp-contract=off", "-fno-math-errno"],
      },
    },
    # The vector types are those of GCC and Clang.
    "msbuild_toolset": "ClangCL",
    "conditions": [
      [
        "myelin_sanitize!=''",
        {
          "cflags_cc": ["-fsanitize=<(myelin_sanitize)", "-fno-omit-frame-pointer", "-g"],
          "xcode_settings": {"OTHER_CPLUSPLUSFLAGS": ["-fsanitize=<(myelin_sanitize)"]},
        },
      ],
    ],
  },
  "targets": [
    {
      # Where the time goes; Node's own -O3.
      "target_name": "kernels",
      "type": "static_library",
      "sources": ["<!@(node scripts/native-sources.mjs kernels)"],
    },
    {
      # For CPUs older than 2013: a third of the kernels' bytes, so it is made small.
      "target_name": "kernels_portable",
      "type": "static_library",
      "sources": ["<!@(node scripts/native-sources.mjs portable)"],
      "cflags!": ["-O3"],
      "configurations": {"Release": {"cflags": ["-Os"]}},
    },
    {
      "target_name": "myelin",
      "dependencies": ["kernels", "kernels_portable"],
      "sources": ["<!@(node scripts/native-sources.mjs addon)"],
      "include_dirs": ["<!(node -p \"require('node-addon-api').include_dir\")"],
      "cflags!": ["-O3"],
      "configurations": {"Release": {"cflags": ["-O2"]}},
      "defines": [
        "NAPI_VERSION=8",
        "NAPI_CPP_EXCEPTIONS",
        # Without it, ending a worker while native work is under way ends the process.
        "NODE_API_SWALLOW_UNTHROWABLE_EXCEPTIONS",
        "NODE_API_NO_EXTERNAL_BUFFERS_ALLOWED",
        "MYELIN_VERSION=\"<!(node -p \"require('./package.json').version\")\"",
      ],
      "conditions": [
        [
          "OS=='linux'",
          {
            "ldflags": ["-static-libstdc++", "-static-libgcc", "-Wl,--gc-sections", "-Wl,--version-script=<(module_root_dir)/native/exports.map"],
            "libraries": ["-lpthread"],
          },
        ],
        [
          "myelin_old_glibc!=''",
          {
            "defines": ["MYELIN_OLD_GLIBC"],
            "libraries": ["<(myelin_old_glibc)/libpthread.so.0", "<(myelin_old_glibc)/libm.so.6"],
          },
        ],
        [
          "myelin_sanitize!=''",
          {
            "ldflags": ["-fsanitize=<(myelin_sanitize)"],
            # The sanitizers' run time comes with a shared C++ library of its own.
            "ldflags!": ["-static-libstdc++", "-static-libgcc"],
          },
        ],
      ],
    }
  ],
}
