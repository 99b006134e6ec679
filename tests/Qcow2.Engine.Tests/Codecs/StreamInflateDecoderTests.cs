using Qcow2.Engine.Codecs;

namespace Qcow2.Engine.Tests.Codecs;

public sealed class StreamInflateDecoderTests : InflateDecoderContract
{
    private protected override ClusterDecoder Create() => new StreamInflateDecoder();
}
