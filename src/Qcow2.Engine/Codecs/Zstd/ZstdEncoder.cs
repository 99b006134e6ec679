using ZstdSharp.Unsafe;

namespace Qcow2.Engine.Codecs;

/// <summary>Zstandard (RFC 8878): one frame for each cluster, which says its size and has no checksum.</summary>
internal sealed unsafe class ZstdEncoder : ClusterEncoder
{
    private ZSTD_CCtx_s* _state; // Null when disposed.

    private ZstdEncoder(ZSTD_CCtx_s* state) => _state = state;

    /// <summary>
    /// Makes the state before the object that owns it. Where the host has loaded a version of the library that has no
    /// such functions, this fails, and no finaliser is left to fail where nobody can catch it.
    /// </summary>
    internal static ZstdEncoder Create(int level)
    {
        ZSTD_CCtx_s* state = Methods.ZSTD_createCCtx();
        if (state is null)
        {
            throw new InsufficientMemoryException("There is no memory for a Zstandard encoder.");
        }

        Methods.ZSTD_CCtx_setParameter(state, ZSTD_cParameter.ZSTD_c_compressionLevel, level);
        return new ZstdEncoder(state);
    }

    ~ZstdEncoder() => Free();

    private ZSTD_CCtx_s* State => _state is null ? throw new ObjectDisposedException(nameof(ZstdEncoder)) : _state;

    internal override bool TryEncode(ReadOnlySpan<byte> cluster, Span<byte> compressed, out int length)
    {
        Span<byte> room = Room(cluster, compressed);
        fixed (byte* source = cluster)
        fixed (byte* destination = room)
        {
            nuint result = Methods.ZSTD_compress2(State, destination, (nuint)room.Length, source, (nuint)cluster.Length);
            GC.KeepAlive(this); // Or the finaliser frees the state at work.
            bool isSmaller = !Methods.ZSTD_isError(result);
            length = isSmaller ? (int)result : 0;
            return isSmaller;
        }
    }

    public override void Dispose()
    {
        Free();
        GC.SuppressFinalize(this);
    }

    private void Free()
    {
        Methods.ZSTD_freeCCtx(_state); // Null is fine.
        _state = null;
    }
}
