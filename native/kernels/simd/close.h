// Ends what simd/<level>.h began: the target region and the level's name.
#if defined(MYELIN_TARGET_REGION)
#if defined(__clang__)
#pragma clang attribute pop
#else
#pragma GCC pop_options
#endif
#undef MYELIN_TARGET_REGION
#endif
#undef MYELIN_LEVEL
#undef MYELIN_LEVEL_NAME
