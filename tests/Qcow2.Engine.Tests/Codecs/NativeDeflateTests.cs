using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

public sealed class NativeDeflateEncoderTests : DeflateEncoderContract
{
    private protected override ClusterEncoder Create(int level) => new NativeDeflateEncoder(level);

    [Fact]
    public void Zlib_of_this_framework_is_found() => Assert.True(NativeZlib.IsAvailable);

    [Fact]
    public void It_is_taken_up_to_the_level_where_ours_is_better()
    {
        using ClusterEncoder fast = DeflateEncoder.Create(6);
        using ClusterEncoder small = DeflateEncoder.Create(7);

        Assert.IsType<NativeDeflateEncoder>(fast);
        Assert.IsType<ManagedDeflateEncoder>(small);
    }
}
