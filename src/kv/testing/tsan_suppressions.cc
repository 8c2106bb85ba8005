// RocksDB comes without instrumentation: ThreadSanitizer sees its memory accesses through malloc and memcmp, but not
// the atomics that order them. What happens inside the library is not ours to check.
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  // Its inline functions, compiled into ours, meet the library's accesses too.
  return "called_from_lib:librocksdb.so\nrace:rocksdb::\nrace:librocksdb.so\n";
}
