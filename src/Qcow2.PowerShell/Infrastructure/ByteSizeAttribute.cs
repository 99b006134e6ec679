using System.Management.Automation;

namespace Qcow2.PowerShell.Infrastructure;

/// <summary>Lets a parameter for a number of bytes take <c>4GB</c>, <c>"4GB"</c> and QEMU's <c>"4G"</c>.</summary>
[AttributeUsage(AttributeTargets.Property)]
public sealed class ByteSizeAttribute : ArgumentTransformationAttribute
{
    /// <summary>What the number stands for.</summary>
    public ByteSizeKind Kind { get; set; }

    /// <inheritdoc/>
    public override object? Transform(EngineIntrinsics engineIntrinsics, object? inputData)
    {
        if ((inputData is PSObject wrapped ? wrapped.BaseObject : inputData) is not { } value)
        {
            return null;
        }

        try
        {
            object given = AsTyped(inputData, value);
            return Kind == ByteSizeKind.DiskOrChange ? (object)NewDiskSize.Parse(given) : ByteSize.Parse(given, Kind);
        }
        catch (FormatException e)
        {
            throw new ArgumentTransformationMetadataException(e.Message, e);
        }
    }

    /// <summary>
    /// PowerShell keeps the text of a number that was typed. <c>1.000</c> is the number 1 otherwise, and <c>0.048TB</c> is no whole number.
    /// </summary>
    private static object AsTyped(object? inputData, object value)
    {
        if (inputData is not PSObject || value is not double number)
        {
            return value;
        }

        string text = inputData.ToString() ?? "";
        bool hasUnit = text.Length > 0 && char.IsLetter(text[text.Length - 1]);
        bool hasUselessPoint = number == Math.Truncate(number) && text.All(letter => letter == '.' || char.IsDigit(letter));
        return hasUnit || hasUselessPoint ? text : value;
    }
}
