using System.Runtime.ExceptionServices;
using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed;

/// <summary>
/// What a packed file holds, for readers that go through it from the start to the end, on several threads, each a little behind or before the others. The first and the last bytes that were
/// unpacked are kept, so that partition tables can be looked at afterwards; whoever asks for others has the file unpacked again from its start, but not once it was read to its end.
/// </summary>
/// <remarks>Where the last byte is handed out, the file was read to its end and all its check sums were compared.</remarks>
internal sealed class OrderedStorage : BlockStorage
{
    private const int PageBytes = 1 << 20;

    /// <summary>Pages of the start that are kept.</summary>
    private const int FirstPages = 4;

    private readonly object _gate = new();
    private readonly BlockStorage _storage;
    private readonly PackedKind _kind;
    private readonly byte[][] _first = new byte[FirstPages][];
    private readonly byte[][] _pages;
    private PackedReader _reader;
    private long _end;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Begins to unpack.</summary>
    /// <param name="storage">The packed file, which is closed with this.</param>
    /// <param name="kind">What it is packed with.</param>
    /// <param name="length">Bytes that it holds.</param>
    /// <param name="window">Bytes that are kept, at least.</param>
    internal OrderedStorage(BlockStorage storage, PackedKind kind, long length, long window)
    {
        _storage = storage;
        _kind = kind;
        Length = length;
        _pages = new byte[(int)Math.Max(2, Math.Min((window / PageBytes) + 2, 1 + (length / PageBytes)))][];
        _reader = Begin();
    }

    /// <inheritdoc/>
    public override string Path => _storage.Path;

    /// <inheritdoc/>
    public override bool HasLocalPath => false;

    /// <inheritdoc/>
    public override long Length { get; }

    /// <inheritdoc/>
    public override long AllocatedLength => Length;

    /// <inheritdoc/>
    public override FileIdentity Identity => _storage.Identity;

    /// <summary>Whether something else came out than the bytes that there must be, and all check sums before that were right.</summary>
    internal bool HadOtherLength { get; private set; }

    /// <summary>How often it was begun again; for tests.</summary>
    internal int Restarts { get; private set; }

    /// <inheritdoc/>
    public override int Read(long offset, Span<byte> buffer)
    {
        int total = (int)Math.Min(buffer.Length, Math.Max(0, Length - offset));
        for (int done = 0; done < total;)
        {
            done += ReadSome(offset + done, buffer.Slice(done, total - done));
        }

        return total;
    }

    /// <inheritdoc/>
    public override void Write(long offset, ReadOnlySpan<byte> buffer) => throw ReadOnly();

    /// <inheritdoc/>
    public override void SetLength(long length) => throw ReadOnly();

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override StorageRun RunAt(long offset) => new(true, Length);

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            lock (_gate)
            {
                _reader.Dispose();
                _storage.Dispose();
                Array.Clear(_first, 0, _first.Length); // Who keeps this to ask it something does not keep that.
                Array.Clear(_pages, 0, _pages.Length);
            }
        }
    }

    private static NotSupportedException ReadOnly() => new("What is packed can only be read.");

    private PackedReader Begin() => _kind.Open(new PackedInput(_storage));

    /// <summary>Reads from one page.</summary>
    private int ReadSome(long offset, Span<byte> buffer)
    {
        lock (_gate)
        {
            long page = offset / PageBytes;
            if (page >= FirstPages && page < LastPage - _pages.Length + 1)
            {
                if (_end == Length)
                {
                    throw new IOException($"{Path}: the disk was read to its end, and what lies so far back is not there any more.");
                }

                _reader.Dispose();
                _reader = Begin();
                _end = 0;
                Restarts++;
            }

            while (_end <= offset)
            {
                UnpackPage();
            }

            int start = (int)(offset - (page * PageBytes));
            int count = (int)Math.Min(buffer.Length, Math.Min(PageBytes - start, _end - offset));
            PageAt(page).AsSpan(start, count).CopyTo(buffer);
            return count;
        }
    }

    /// <summary>The page that was unpacked last, or will be next; those before it are there as far as there is room.</summary>
    private long LastPage => Math.Max(0, _end - 1) / PageBytes;

    private byte[] PageAt(long page) => page < FirstPages ? _first[page] ??= new byte[PageBytes] : _pages[(int)(page % _pages.Length)] ??= new byte[PageBytes];

    private void UnpackPage()
    {
        _failure?.Throw();
        try
        {
            int wanted = (int)Math.Min(PageBytes, Length - _end);
            int count = _reader.Fill(PageAt(_end / PageBytes).AsSpan(0, wanted));
            if (count < wanted)
            {
                HadOtherLength = true;
                throw PackedErrors.Damaged(Path, _storage.Length, $"{_reader.Position} bytes came out, and there must be {Length}.");
            }

            if (_end + count == Length && _reader.Read(new byte[1]) > 0)
            {
                HadOtherLength = true;
                throw PackedErrors.Damaged(Path, _storage.Length, $"more came out than the {Length} bytes that there must be.");
            }

            _end += count;
        }
        catch (Exception e)
        {
            // The reader stands somewhere in the middle: whoever asks again gets the same answer.
            _failure = ExceptionDispatchInfo.Capture(e);
            throw;
        }
    }
}
