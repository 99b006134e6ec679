namespace Qcow2.Engine.Packed;

/// <summary>Unpacks a file from its start to its end, once. Every check sum in the file is compared: what is wrong is an error, at the latest at the end.</summary>
internal abstract class PackedReader : IDisposable
{
    /// <summary>Bytes that came out so far.</summary>
    internal long Position { get; private set; }

    /// <summary>Gets the next bytes.</summary>
    /// <param name="buffer">Where they go; at least one byte.</param>
    /// <returns>How many; 0 only at the end, which is the end of the file, and all before it was right.</returns>
    /// <exception cref="Qcow2Exception">The file is cut off, damaged, or packed in a way that is not known.</exception>
    /// <exception cref="IOException">The host could not read it.</exception>
    internal int Read(Span<byte> buffer)
    {
        int count = ReadCore(buffer);
        Position += count;
        return count;
    }

    /// <summary>Fills a buffer.</summary>
    /// <returns>How many bytes; fewer only at the end.</returns>
    internal int Fill(Span<byte> buffer)
    {
        int done = 0;
        while (done < buffer.Length && Read(buffer.Slice(done)) is int count and > 0)
        {
            done += count;
        }

        return done;
    }

    /// <summary>Frees what is not managed.</summary>
    public virtual void Dispose()
    {
    }

    /// <summary>Gets the next bytes; 0 only at the end.</summary>
    private protected abstract int ReadCore(Span<byte> buffer);
}
