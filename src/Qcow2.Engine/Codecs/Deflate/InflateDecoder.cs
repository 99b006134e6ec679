namespace Qcow2.Engine.Codecs;

/// <summary>Chooses a decoder of raw deflate (RFC 1951).</summary>
internal static class InflateDecoder
{
    internal static ClusterDecoder Create()
    {
#if NET
        if (NativeZlib.IsAvailable)
        {
            return new NativeInflateDecoder();
        }
#endif
        return new StreamInflateDecoder();
    }
}
