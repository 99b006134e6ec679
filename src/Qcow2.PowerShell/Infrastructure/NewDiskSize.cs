using System.Globalization;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>The size that a disk is to have: the whole of it, or how much larger or smaller it becomes.</summary>
/// <param name="Bytes">The size in bytes, or the change of it, which may be negative.</param>
/// <param name="IsChange">Whether it is a change.</param>
public readonly record struct NewDiskSize(long Bytes, bool IsChange)
{
    /// <summary>The whole size of a disk.</summary>
    public static implicit operator NewDiskSize(long bytes) => FromInt64(bytes);

    /// <summary>The whole size of a disk, in bytes.</summary>
    public static NewDiskSize FromInt64(long bytes) => new(bytes, false);

    /// <summary>As it can be typed again, for one <c>+1024B</c>.</summary>
    public override string ToString()
        => string.Format(CultureInfo.InvariantCulture, IsChange && Bytes >= 0 ? "+{0}B" : IsChange ? "{0}B" : "{0}", Bytes);

    /// <summary>Reads a size, or with a sign a change of it.</summary>
    /// <exception cref="FormatException">It is neither; the message says what one looks like.</exception>
    internal static NewDiskSize Parse(object value)
    {
        if (value is NewDiskSize known)
        {
            return known;
        }

        string text = (value as string)?.Trim() ?? "";
        if (text.Length > 0 && text[0] is '+' or '-')
        {
            long change = Unsigned(text.Substring(1), text);
            return new NewDiskSize(text[0] == '+' ? change : -change, true);
        }

        // A variable that holds -5GB is a number. No disk has a negative size, so that it says how much goes.
        return Negated(value) is object less ? new NewDiskSize(-Unsigned(less, value), true) : ByteSize.Parse(value, ByteSizeKind.DiskOrChange);
    }

    private static object? Negated(object value) => value switch
    {
        int number when number < 0 => -(long)number,
        long number when number is < 0 and > long.MinValue => -number,
        double number when number < 0 => -number,
        decimal number when number < 0 => -number,
        _ => null,
    };

    private static long Unsigned(object value, object given)
    {
        try
        {
            return ByteSize.Parse(value, ByteSizeKind.DiskOrChange);
        }
        catch (FormatException e)
        {
            throw new FormatException(string.Format(CultureInfo.InvariantCulture, "'{0}' is no change of a size. What follows its sign: {1}", given, e.Message), e);
        }
    }

    /// <summary>The whole size that a disk gets.</summary>
    /// <param name="path">Full path of the image, for an error.</param>
    /// <param name="size">Its size now, in bytes.</param>
    /// <exception cref="ImageCmdletException">A disk cannot have that size.</exception>
    internal long From(string path, long size)
    {
        if (!IsChange)
        {
            return Bytes;
        }

        if (Bytes > 0 ? Bytes > long.MaxValue - size : -Bytes > size)
        {
            throw new ImageCmdletException("SizeOutOfRange", System.Management.Automation.ErrorCategory.InvalidArgument, Bytes > 0
                ? $"{path}: the disk has {DisplayText.SizeAndBytes(size)}; with {DisplayText.SizeAndBytes(Bytes)} more it would be larger than any disk can be."
                : $"{path}: the disk has {DisplayText.SizeAndBytes(size)}, so that {DisplayText.SizeAndBytes(-Bytes)} cannot be taken from it.");
        }

        return size + Bytes;
    }

    /// <summary>What a question adds to the old and the new size; nothing of a whole size.</summary>
    internal string Describe() => !IsChange ? "" : $", {DisplayText.Size(Math.Abs(Bytes))} {(Bytes < 0 ? "less" : "more")}";
}
