using Qcow2.Engine.Storage;

namespace Qcow2.Engine.Tests;

/// <summary>A file that stands for a device once it is told so: nobody sets its length, or writes past its end.</summary>
internal sealed class DeviceStorage(byte[] content) : BlockStorage
{
    private readonly MemoryStorage _bytes = new(content);

    internal DeviceStorage(long length)
        : this(new byte[length])
    {
    }

    internal bool IsFixed { get; set; }

    internal byte[] Content => _bytes.Content;

    public override string Path => _bytes.Path;

    public override long Length => _bytes.Length;

    public override long AllocatedLength => _bytes.Length;

    public override bool HasFixedLength => IsFixed;

    public override FileIdentity Identity => _bytes.Identity;

    public override int Read(long offset, Span<byte> buffer) => _bytes.Read(offset, buffer);

    public override void Write(long offset, ReadOnlySpan<byte> buffer)
    {
        Assert.False(IsFixed && offset + buffer.Length > Length, "Nobody writes past the end of a device.");
        _bytes.Write(offset, buffer);
    }

    public override void SetLength(long length)
    {
        Assert.False(IsFixed, "Nobody sets the length of a device.");
        _bytes.SetLength(Math.Max(length, _bytes.Length));
    }

    public override void Flush() => _bytes.Flush();

    public override StorageRun RunAt(long offset) => _bytes.RunAt(offset);

    protected override void Dispose(bool disposing)
    {
    }
}
