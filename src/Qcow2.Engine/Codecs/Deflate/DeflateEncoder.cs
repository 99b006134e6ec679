namespace Qcow2.Engine.Codecs;

/// <summary>Chooses an encoder of raw deflate (RFC 1951).</summary>
internal static class DeflateEncoder
{
    /// <summary>
    /// Distances are at most 4096 bytes, as in what QEMU writes. Its readers take clusters in one piece and accept any distance;
    /// readers that inflate piece by piece with a window of QEMU's size don't.
    /// </summary>
    internal const int WindowBits = 12;

    internal const int WindowSize = 1 << WindowBits;

    internal static ClusterEncoder Create(int level)
    {
#if NET
        if (NativeZlib.IsAvailable)
        {
            return new NativeDeflateEncoder(level);
        }
#endif
        return new ManagedDeflateEncoder(level);
    }
}
