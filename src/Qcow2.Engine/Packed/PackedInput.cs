using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Packed;

/// <summary>The bytes of a packed file, from its start to its end. What was asked for is there or the file is cut off.</summary>
/// <param name="storage">The file, which somebody else closes.</param>
internal sealed class PackedInput(BlockStorage storage)
{
    /// <summary>One read of the file.</summary>
    private const int PieceBytes = 256 * 1024;

    private readonly byte[] _buffer = new byte[PieceBytes];
    private int _next;
    private int _end;
    private long _read;

    /// <summary>Name of the file, for errors.</summary>
    internal string Path => storage.Path;

    /// <summary>Where the next byte lies in the file.</summary>
    internal long Position => _read - (_end - _next);

    /// <summary>What is there without reading on; maybe nothing.</summary>
    internal ReadOnlySpan<byte> Available => _buffer.AsSpan(_next, _end - _next);

    /// <summary>Whether there is no byte more.</summary>
    internal bool IsAtEnd => !TryGet(1);

    /// <summary>Gets bytes, so that they are available.</summary>
    /// <param name="count">How many, at most a quarter of a piece.</param>
    /// <returns>False if the file ends before.</returns>
    internal bool TryGet(int count)
    {
        if (_end - _next >= count)
        {
            return true;
        }

        Buffer.BlockCopy(_buffer, _next, _buffer, 0, _end - _next);
        _end -= _next;
        _next = 0;
        int read = storage.Read(_read, _buffer.AsSpan(_end));
        _read += read;
        _end += read;
        return _end >= count;
    }

    /// <summary>Gets bytes that must be there.</summary>
    internal ReadOnlySpan<byte> Peek(int count) => TryGet(count) ? _buffer.AsSpan(_next, count) : throw CutOff();

    /// <summary>Goes past bytes that are available.</summary>
    internal void Skip(int count) => _next += count;

    /// <summary>Goes past bytes that must be there, however many.</summary>
    internal void Pass(long count)
    {
        while (count > 0)
        {
            Peek(1);
            int some = (int)Math.Min(count, _end - _next);
            _next += some;
            count -= some;
        }
    }

    /// <summary>Takes a byte that must be there.</summary>
    internal byte Take()
    {
        byte value = Peek(1)[0];
        _next++;
        return value;
    }

    /// <summary>Takes bytes that must be there.</summary>
    internal void Take(Span<byte> bytes)
    {
        while (!bytes.IsEmpty)
        {
            Peek(1);
            int count = Math.Min(bytes.Length, _end - _next);
            Available.Slice(0, count).CopyTo(bytes);
            _next += count;
            bytes = bytes.Slice(count);
        }
    }

    /// <summary>The file ends where more must come.</summary>
    internal Qcow2Exception CutOff() => PackedErrors.CutOff(Path, _read);

    /// <summary>Something in the file is not as it must be.</summary>
    /// <param name="what">What, as a sentence begins.</param>
    internal Qcow2Exception Damaged(string what) => PackedErrors.Damaged(Path, Position, what);
}
