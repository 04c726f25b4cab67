#include "services/cli/local/places.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "tests/support/status_matchers.h"
#include "tests/support/temp_dir.h"

namespace dovetail::cli {
namespace {

namespace fs = std::filesystem;

TEST(PlacesTest, SocketPathsAreShortHoweverLongTheState) {
  ASSERT_OK_AND_ASSIGN(const Places places, FindPlaces("/tmp/" + std::string(300, 'x')));
  EXPECT_LT(places.coordinator_socket().size(), 100u);
  EXPECT_LT(places.postgres_socket_directory().size() + std::string("/.s.PGSQL.5432").size(), 100u);
}

TEST(PlacesTest, TwoStatesNeverShareARuntimeDirectory) {
  EXPECT_NE(FindPlaces("/tmp/a")->runtime, FindPlaces("/tmp/b")->runtime);
  EXPECT_EQ(FindPlaces("/tmp/a/")->runtime, FindPlaces("/tmp/./a")->runtime);
}

TEST(PlacesTest, DirectoriesAreMadeForTheirOwner) {
  const std::string state = ::dovetail::testing::ScratchDirectory() + "places_test/deep/state";
  fs::remove_all(state);
  ASSERT_OK_AND_ASSIGN(Places places, FindPlaces(state));
  places.runtime = ::dovetail::testing::ScratchDirectory() + "places_test/runtime/r";
  ASSERT_OK(MakePlaces(places));
  struct stat info {};
  ASSERT_EQ(stat(places.artifacts().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
  EXPECT_TRUE(fs::is_directory(places.runtime));
}

TEST(PlacesTest, FileInTheWayIsAnError) {
  const std::string file = ::dovetail::testing::ScratchDirectory() + "places_test_file";
  std::ofstream(file) << "x";
  ASSERT_OK_AND_ASSIGN(const Places places, FindPlaces(file));
  EXPECT_FALSE(MakePlaces(places).ok());
}

}  // namespace
}  // namespace dovetail::cli
