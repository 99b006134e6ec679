#if NET
using System.Collections.Concurrent;

namespace Qcow2.Engine.Codecs;

/// <summary>Raw deflate (RFC 1951), whatever window it was written with, by .NET's zlib.</summary>
internal sealed unsafe class NativeInflateDecoder : ClusterDecoder
{
    private readonly ConcurrentBag<Context> _idle = [];

    internal override bool TryDecode(byte[] compressed, int count, Span<byte> cluster)
    {
        if (!_idle.TryTake(out Context? context))
        {
            context = new Context();
        }

        bool isWhole = context.TryDecode(compressed.AsSpan(0, count), cluster);
        _idle.Add(context); // Unless there was no memory to start again.
        return isWhole;
    }

    /// <summary>A decoder's state, which only one thread may use at a time. The garbage collector frees it.</summary>
    private sealed class Context
    {
        private const int AnyWindow = -15;

        private NativeZlib.Stream _stream;
        private bool _isUsed;

        internal Context()
        {
            fixed (NativeZlib.Stream* stream = &_stream)
            {
                Require(NativeZlib.InflateInit(stream, AnyWindow));
            }
        }

        ~Context()
        {
            fixed (NativeZlib.Stream* stream = &_stream)
            {
                if (stream->State != 0)
                {
                    NativeZlib.InflateEnd(stream);
                }
            }
        }

        internal bool TryDecode(ReadOnlySpan<byte> compressed, Span<byte> cluster)
        {
            fixed (NativeZlib.Stream* stream = &_stream)
            fixed (byte* source = compressed)
            fixed (byte* destination = cluster)
            {
                if (_isUsed)
                {
                    Require(NativeZlib.InflateReset(stream, AnyWindow));
                }

                _isUsed = true;
                stream->NextIn = source;
                stream->AvailableIn = (uint)compressed.Length;
                stream->NextOut = destination;
                stream->AvailableOut = (uint)cluster.Length;
                int result = NativeZlib.Inflate(stream, NativeZlib.Finish);

                // A stream that goes on where the cluster is full has no room left.
                return result is NativeZlib.StreamEnd or NativeZlib.BufferError && stream->AvailableOut == 0;
            }
        }

        private static void Require(int result)
        {
            if (result != NativeZlib.Ok)
            {
                throw new InsufficientMemoryException("There is no memory for a deflate decoder.");
            }
        }
    }
}
#endif
