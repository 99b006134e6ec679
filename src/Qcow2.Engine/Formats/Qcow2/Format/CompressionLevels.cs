using Qcow2.Engine.Format;

namespace Qcow2.Engine;

/// <summary>How hard compression tries: the levels of each compression type, from the fastest to the smallest.</summary>
public static class CompressionLevels
{
    /// <summary>The lowest level: 1.</summary>
    public const int Minimum = 1;

    /// <summary>The highest level: 9 for deflate, 22 for zstd.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The type is unknown.</exception>
    public static int Maximum(CompressionType type) => type switch
    {
        CompressionType.Deflate => 9,
        CompressionType.Zstd => 22,
        _ => throw UnknownType(type),
    };

    /// <summary>The level that is used where none is given, the same as QEMU's: 6 for deflate, 3 for zstd.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The type is unknown.</exception>
    public static int Default(CompressionType type) => type switch
    {
        CompressionType.Deflate => 6,
        CompressionType.Zstd => 3,
        _ => throw UnknownType(type),
    };

    /// <summary>The level to use.</summary>
    /// <param name="type">The compression type.</param>
    /// <param name="level">Null for the default.</param>
    /// <exception cref="ArgumentOutOfRangeException">The type is unknown, or has no such level.</exception>
    internal static int Resolve(CompressionType type, int? level)
    {
        int maximum = Maximum(type);
        int resolved = level ?? Default(type);
        return resolved >= Minimum && resolved <= maximum
            ? resolved
            : throw new ArgumentOutOfRangeException(nameof(level), level, $"A compression level of {type} is {Minimum} to {maximum}.");
    }

    private static ArgumentOutOfRangeException UnknownType(CompressionType type)
        => new(nameof(type), type, "A compression type is 0 (deflate) or 1 (zstd).");
}
