namespace Qcow2.Engine.Format;

/// <summary>How compressed clusters are compressed (spec: "Additional fields", byte 104).</summary>
public enum CompressionType : byte
{
    /// <summary>Raw deflate (RFC 1951), which QEMU calls zlib.</summary>
    Deflate = 0,

    /// <summary>Zstandard (RFC 8878).</summary>
    Zstd = 1,
}
