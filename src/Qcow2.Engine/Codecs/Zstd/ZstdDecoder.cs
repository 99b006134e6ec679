using System.Collections.Concurrent;
using ZstdSharp.Unsafe;

namespace Qcow2.Engine.Codecs;

/// <summary>
/// Zstandard (RFC 8878): one frame or several, one after the other, until the cluster is full. A frame's claims about its
/// window cost nothing, because it is decoded straight into the cluster.
/// </summary>
internal sealed unsafe class ZstdDecoder : ClusterDecoder
{
    private readonly ConcurrentBag<Context> _idle = [];

    internal override bool TryDecode(byte[] compressed, int count, Span<byte> cluster)
    {
        if (!_idle.TryTake(out Context? context))
        {
            context = Context.Create();
        }

        try
        {
            return context.TryDecode(compressed.AsSpan(0, count), cluster);
        }
        finally
        {
            _idle.Add(context);
        }
    }

    /// <summary>A decoder's state, which only one thread may use at a time. The garbage collector frees it.</summary>
    private sealed class Context
    {
        private readonly ZSTD_DCtx_s* _state;

        private Context(ZSTD_DCtx_s* state) => _state = state;

        /// <summary>
        /// Makes the state before the object that owns it. Where the host has loaded a version of the library that has no
        /// such functions, this fails, and no finaliser is left to fail where nobody can catch it.
        /// </summary>
        internal static Context Create()
        {
            ZSTD_DCtx_s* state = Methods.ZSTD_createDCtx();
            if (state is null)
            {
                throw new InsufficientMemoryException("There is no memory for a Zstandard decoder.");
            }

            // The output stays in one place for a whole cluster, so no window buffer is needed.
            Methods.ZSTD_DCtx_setParameter(state, ZSTD_dParameter.ZSTD_d_experimentalParam2, 1);
            return new Context(state);
        }

        ~Context() => Methods.ZSTD_freeDCtx(_state);

        internal bool TryDecode(ReadOnlySpan<byte> compressed, Span<byte> cluster)
        {
            Methods.ZSTD_DCtx_reset(_state, ZSTD_ResetDirective.ZSTD_reset_session_only);
            fixed (byte* source = compressed)
            fixed (byte* destination = cluster)
            {
                var input = new ZSTD_inBuffer_s { src = source, size = (nuint)compressed.Length };
                var output = new ZSTD_outBuffer_s { dst = destination, size = (nuint)cluster.Length };
                while (true)
                {
                    nuint inputBefore = input.pos;
                    nuint outputBefore = output.pos;
                    nuint result = Methods.ZSTD_decompressStream(_state, &output, &input);
                    if (Methods.ZSTD_isError(result))
                    {
                        return false;
                    }

                    if (output.pos == output.size)
                    {
                        return result == 0; // Otherwise the frame holds more than a cluster.
                    }

                    bool stuck = input.pos == inputBefore && output.pos == outputBefore;
                    if (stuck || input.pos == input.size)
                    {
                        return false;
                    }
                }
            }
        }
    }
}
