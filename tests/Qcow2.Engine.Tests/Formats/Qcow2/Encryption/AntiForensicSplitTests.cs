using Qcow2.Engine.Formats.Qcow2.Encryption;
using Qcow2.Engine.Tests.Codecs;

namespace Qcow2.Engine.Tests.Formats.Qcow2.Encryption;

public sealed class AntiForensicSplitTests
{
    // From an implementation in Python, written from the specification. The stripes are 3, 10, 17, ...
    [Theory]
    [InlineData("sha1", 1, "030a11181f262d343b424950575e656c")]
    [InlineData("sha1", 3, "9ce812fee31eb50259be4fa2937d1790")]
    [InlineData("sha1", 4000, "3ba60a89cb2c48e29873cdf3b5a514eb684db67eb101bb34")]
    [InlineData("sha1", 2, "06acc94327ce90e9bc79463096f0372992ce84a244fef12a35da7d6f36074b40")]
    [InlineData("sha1", 5, "c6c072750b2357447e9150a601196f22b169d3ddaa1a6634ed23fea2d1cc85f23951f0107af807e0c7c11f63738cba89")]
    [InlineData(
        "sha1", 4,
        "07d0ce4b721e2f9ffb7fd149a13b753cca6a2651582d30fe606a5716a3fb1a54524adde6830c536ee7165d4292855400544f7ade3afdf41019a3eb0e503c976f")]
    [InlineData("sha256", 1, "030a11181f262d343b424950575e656c")]
    [InlineData("sha256", 3, "9eb565b93bba822fb86fbbd3b08fd963")]
    [InlineData("sha256", 4000, "bf60d7d174908b7e96441967245daea4b93b42611baf7cfc")]
    [InlineData("sha256", 2, "9b2c9d80e323c57b655f570735609e47af18fbb3ce345ed7ea9a1f2e35e33646")]
    [InlineData("sha256", 5, "bf13cfa6b9124de9c6845a509343837fd35c0943478c669ddc7b7f00be7a3424ebab4542fcbf94453ba80848219ff55b")]
    [InlineData(
        "sha256", 4,
        "9a4c5c232dcac2e6cd3f091da4e58969ee04d83c64059071fe1d68c672e21caf286e139f413e4a3dda63213d62af237ebff552db69ec1d3f9d966802690f012a")]
    [InlineData("sha512", 1, "030a11181f262d343b424950575e656c")]
    [InlineData("sha512", 3, "18b63a702646eebdf806ed948aaadb10")]
    [InlineData("sha512", 4000, "5664c2aaa1ef32dee2881c3e17a0c8a20c9ae4c6eda0b7d0")]
    [InlineData("sha512", 2, "8e9d4e738942c2a2ad41c83d204302f81634e5c444beff88f03837a14b67acd1")]
    [InlineData("sha512", 5, "833b0d5608f8fa36664ab55addd4d8c697b421c42bb22376c1fe5285d4e351e465217064d869381548efebf3306721c4")]
    [InlineData(
        "sha512", 4,
        "c0fb66906a8d6da3b24eff22da2ef45d58ba5bdcc3164a85cad13aed054c63d9cee7c98e820bbf9cf3ddcf9ae941828cc23681891df2d0547ddf4617019e5c83")]
    public void Stripes_merge_into_the_key(string hash, int count, string key)
    {
        byte[] stripes = [.. Enumerable.Range(0, count * key.Length / 2).Select(i => (byte)((7 * i) + 3))];
        byte[] merged = TestData.Random(key.Length / 2);

        AntiForensicSplit.Merge(stripes, LuksHash.Resolve(hash, "test"), merged);

        Assert.Equal(key, Convert.ToHexStringLower(merged));
    }
}
