// Writes the generated pages: write_reference_pages DIRECTORY. Run by the target `reference`.
#include <cstdio>
#include <fstream>

#include "tests/golden/reference_pages.h"

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: write_reference_pages DIRECTORY\n");
    return 2;
  }
  for (const auto& [name, text] : dovetail::testing::ReferencePages()) {
    const std::string file = std::string(argv[1]) + "/" + name;
    std::ofstream out(file, std::ios::binary);
    out << text;
    out.flush();
    if (!out) {
      std::fprintf(stderr, "write_reference_pages: cannot write %s\n", file.c_str());
      return 1;
    }
    std::printf("%s\n", file.c_str());
  }
  return 0;
}
